# SPDX-License-Identifier: MIT
"""hakmem top on a terminal: at every width, what each key does, and that the terminal is given back."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import unittest
from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

from rich.cells import cell_len

from tools.cli import figures, fitted, process_list, published, show, terminal, top_screen
from tools.cli.figures import DEFAULT_ORDERS, Order
from tools.cli.history import History
from tools.cli.observe_case import COMMAND, ROOT, SECONDS, ObserveCase
from tools.measure.table import Grid

_ENTER, _LEAVE = "\x1b[?1049h", "\x1b[?1049l"
_FRAME = re.compile("\x1b\\[1;1H\x1b\\[2K(.*?)\x1b\\[H", re.DOTALL)
_NEXT_LINE = re.compile("\x1b\\[\\d+;1H\x1b\\[2K")

# A figure with its unit.
_NUMBER = re.compile(r"[+-]?\d(?:[\d,.]*\d)?(?: (?:B|[KMGTP]iB|[MGTP])\b)?")


class Example:
    """Readings of a process that grows, with counts of days of work."""

    def __init__(self, found: dict[str, Any], count: int = 20) -> None:
        self.found = found
        self.history = History()
        for number in range(count):
            self.history.add(self.reading(number), 10**12 + number)

    def reading(self, number: int) -> dict[str, Any]:
        many = 10**15 + number * 10**9
        fields = ("allocations", "frees", "exchanges", "remote_frees", "live_blocks", "live_bytes", "cached_blocks")

        def grown(one: dict[str, Any], factor: int = 1) -> dict[str, Any]:
            return {name: value + factor * many if name in fields else value for name, value in one.items()}

        return {
            **self.found,
            "clock_ms": 1000 * number,
            "process": {**grown(self.found["process"]), "held_bytes": 10**15},
            "pools": {name: grown(pool) for name, pool in self.found["pools"].items()},
            "classes": [grown(one, place + 1) for place, one in enumerate(self.found["classes"])],
            "threads": [grown(one, place + 1) for place, one in enumerate(self.found["threads"])],
        }


class FittedTest(ObserveCase):
    def setUp(self) -> None:
        process = self.observed("load", "2")
        self.history = Example(published.read(process.pid)).history

    def test_what_a_class_learned_has_columns_where_a_build_learns(self) -> None:
        now = self.history.now
        assert now is not None
        learned: list[dict[str, Any]] = [{}, {"player": "lean\x1b", "rating": 1612, "matches": 41}]
        both = [{**now, "classes": [{**one, **of} for one in now["classes"]]} for of in learned]
        without, shown = ("\n".join(figures.whole(300, figures.history_of(one), "program")) for one in both)
        for word in ("player", "rating", "matches"):
            self.assertNotIn(word, without)
            self.assertIn(word, shown)
        self.assertRegex(shown, r"lean\\x1b +1,?612 +41")

    def test_no_line_is_too_long_and_no_number_is_cut(self) -> None:
        whole = "\n".join(figures.screen(300, 60, self.history, "program"))
        self.assertIn("▁", whole)
        numbers = set(_NUMBER.findall(whole))
        for width in (*range(20, 140), 160, 200, 240, 300):
            lines = figures.screen(width, 60, self.history, "program")
            for line in lines:
                self.assertLessEqual(cell_len(line), width, line)
            self.assertEqual(set(_NUMBER.findall("\n".join(lines))) - numbers, set(), width)
            for title, column in (("Memory", "live"), ("Events", "allocations"), ("Classes", "live bytes")):
                place = next(place for place, line in enumerate(lines) if line.startswith(title))
                self.assertIn(column, lines[place + 1], width)

    def test_fits_the_height(self) -> None:
        for height in (24, 30, 40, 60):
            with self.subTest(height):
                lines = figures.screen(80, height - 1, self.history, "program")
                self.assertLess(len(lines), height)
                text = "\n".join(lines)
                self.assertRegex(text, r"(?m)^Classes.*\n.*\n.*\n.*B +(tiny|l2|l25|huge)?")
                self.assertRegex(text, r"(?m)^Threads.*\n.*\n.*\n *[0-9]+ +[0-9,.]+ ")
                self.assertEqual("Pools" in text, height >= 40)

    def test_columns_go_from_the_least_important(self) -> None:
        grid = Grid("T", ["a", "b", "c"], [["111", "222", "333"]], words=0)
        self.assertEqual(fitted.lines(grid, 13, ("c", "b"))[4], "111  222  333")
        self.assertEqual(fitted.lines(grid, 12, ("c", "b"))[4], "111  333")
        self.assertEqual(fitted.lines(grid, 7, ("c", "b"))[4], "111 333")
        self.assertEqual(fitted.lines(grid, 6, ("c", "b"))[4], "111")

    def test_wide_characters_count_twice(self) -> None:
        self.assertEqual(fitted.cut("漢字漢字", 8), "漢字漢字")
        self.assertLessEqual(cell_len(fitted.cut("漢字漢字", 6)), 6)
        self.assertEqual(fitted.joined(("ab", "cd", "ef"), 6, "  "), "ab  cd")

    def test_every_order_of_every_table(self) -> None:
        for name, columns in figures.SORTED.items():
            for column in columns:
                for is_reversed in (False, True):
                    orders = {**DEFAULT_ORDERS, name: Order(column, is_reversed)}
                    grids = figures.grids_within(200, self.history, orders)
                    grid = next(one for one in grids if one.title.startswith(name))
                    self.assertIn(column, grid.columns)
                    kind = {"Classes": "classes", "Threads": "threads"}[name]
                    self.assertGreater(len(grid.lines), 1, kind)
        orders = {**DEFAULT_ORDERS, "Classes": Order("size")}
        assert self.history.now is not None
        sizes = sorted((one["block_size"] for one in self.history.now["classes"]), reverse=True)
        for order, wanted in ((Order("size"), sizes), (Order("size", True), sizes[::-1])):
            orders = {**DEFAULT_ORDERS, "Classes": order}
            (grid,) = [
                one for one in figures.grids_within(200, self.history, orders) if one.title.startswith("Classes")
            ]
            self.assertEqual([line[0] for line in grid.lines], [show.size(size) for size in wanted[: len(grid.lines)]])
            self.assertEqual(grid.title.endswith(", reversed"), order.is_reversed)


class HistoryTest(ObserveCase):
    def setUp(self) -> None:
        self.found = published.read(self.observed("quiet").pid)

    def add(self, history: History, clock_ms: int, live_bytes: int) -> None:
        one = {**self.found["classes"][0], "live_bytes": live_bytes}
        history.add({**self.found, "clock_ms": clock_ms, "classes": [one]}, None)

    @property
    def key(self) -> tuple[str, object]:
        return "class", self.found["classes"][0]["class"]

    def test_growth_is_of_the_last_minute(self) -> None:
        history = History()
        self.add(history, 0, 0)
        self.assertIsNone(history.growth(self.key))
        self.add(history, 1000, 100)
        self.assertEqual(history.growth(self.key), 6000)
        for second in range(2, 121):
            self.add(history, 1000 * second, 100 if second < 61 else 200)
        self.assertEqual(history.growth(self.key), 100)
        self.add(history, 121_000, 200)
        self.assertEqual(history.growth(self.key), 0)

    def test_growth_of_readings_that_are_far_apart(self) -> None:
        history = History()
        for minute in range(5):
            self.add(history, 300_000 * minute, 5000 * minute)
        self.assertEqual(history.growth(self.key), 1000)

    def test_what_is_new_grew_from_nothing(self) -> None:
        history = History()
        history.add({**self.found, "clock_ms": 0, "classes": [], "threads": []}, None)
        self.add(history, 30_000, 500)
        self.assertEqual(history.growth(self.key), 1000)
        self.assertIsNone(history.growth(("thread", self.found["threads"][0]["tid"])))

    def test_trend(self) -> None:
        history = History()
        for number in range(8):
            self.add(history, 1000 * number, 1000 * number)
            self.assertEqual(len(history.trend(self.key)), 0 if number < 2 else number + 1)
        self.assertEqual(history.trend(self.key), "▁▂▃▄▅▆▇█")
        for number in range(8, 30):
            self.add(history, 1000 * number, 7000)
        self.assertEqual(history.trend(self.key), "▁" * 16)
        self.add(history, 30_000, 7001)
        self.assertEqual(history.trend(self.key), "▁" * 16, "hardly a change")


class TerminalCase(ObserveCase):
    def setUp(self) -> None:
        self.text = ""
        self.leader, self.follower = pty.openpty()
        self.addCleanup(os.close, self.leader)
        self.addCleanup(os.close, self.follower)
        self.attributes = termios.tcgetattr(self.follower)

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.follower, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def open(self, line: Sequence[str], columns: int = 100, lines: int = 50, **environment: str) -> None:
        self.resize(columns, lines)
        self.process = subprocess.Popen(
            line,
            stdin=self.follower,
            stdout=self.follower,
            stderr=self.follower,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={**os.environ, "TERM": "xterm", "PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(ROOT), **environment},
        )

        def end() -> None:
            self.process.kill()
            self.process.wait()

        self.addCleanup(end)

    def top(self, *line: str, **options: Any) -> None:
        self.open([COMMAND, "top", *line], **options)

    def read(self) -> None:
        ready, _, _ = select.select([self.leader], [], [], 0.05)
        if ready:
            self.text += os.read(self.leader, 65536).decode("utf-8", "replace")

    def frames(self) -> list[list[str]]:
        """What was drawn so far, whole frames only."""
        return [_NEXT_LINE.split(rows) for rows in _FRAME.findall(self.text)]

    def wait_for(self, true: Callable[[str], object], what: str) -> str:
        """A frame drawn from now on of which that is so."""
        before = len(self.frames())
        deadline = time.monotonic() + SECONDS
        while True:
            for frame in self.frames()[before:]:
                if true("\n".join(frame)):
                    return "\n".join(frame)
            self.assertLess(time.monotonic(), deadline, what)
            self.assertIsNone(self.process.poll(), self.text[-2000:])
            self.read()

    def press(self, keys: str, words: str) -> str:
        """The frame with those words that comes of it."""
        os.write(self.leader, keys.encode())
        return self.wait_for(lambda text: re.search(words, text), f"{keys!r} gives {words}")

    def mark(self, frame: str, pid: int) -> None:
        """Goes to that process in the list step by step: others come and go in it, and change places as they are busy."""
        while not re.search(rf"(?m)^> +{pid} ", frame):
            rows = re.findall(r"(?m)^(>?) +(\d+) +\S", frame)
            at, wanted = [mark for mark, _ in rows].index(">"), [int(one) for _, one in rows].index(pid)
            frame = self.press("\x1b[B" if at < wanted else "\x1b[A", r"(?m)^> +\d+ ")

    def ended(self, status: int) -> None:
        while self.process.poll() is None:
            self.read()
        for _ in range(20):
            self.read()
        self.assertEqual(self.process.returncode, status, self.text[-2000:])
        self.assertIn(_ENTER, self.text)
        self.assertEqual(self.text.count(_ENTER), self.text.count(_LEAVE))
        self.assertEqual(self.text.count("\x1b[?25l"), self.text.count("\x1b[?25h"))
        self.assertEqual(self.text.count("\x1b[?7l"), self.text.count("\x1b[?7h"))
        self.assertEqual(termios.tcgetattr(self.follower), self.attributes)


class ScreenTest(TerminalCase):
    def test_every_line_fits_at_every_size(self) -> None:
        process = self.observed("load", "2")
        self.top("--interval=0.5", str(process.pid), columns=80, lines=24)
        self.wait_for(lambda text: "Threads" in text, "drawn")
        for columns, lines in ((20, 24), (20, 8), (37, 60), (132, 30), (300, 70), (20, 1), (80, 24)):
            with self.subTest(columns=columns, lines=lines):
                self.resize(columns, lines)
                self.wait_for(lambda text: len(text.split("\n")) == lines, "drawn in the new size")
                for keys, words in (("h", "" if lines < 8 else "this help"), ("x", ""), ("p", ""), ("\x1b", "")):
                    frame = self.press(keys, words)
                    self.assertEqual(len(frame.split("\n")), lines)
                    for line in frame.split("\n"):
                        self.assertLessEqual(cell_len(line), columns, line)
        os.write(self.leader, b"q")
        self.ended(0)

    def test_what_the_keys_do(self) -> None:
        process, other = self.observed("load", "2"), self.observed("quiet")
        self.top("--interval=1", str(process.pid))
        self.wait_for(lambda text: "allocations/s" in text and "growth/min" in text, "two readings")
        for key in ("h", "?"):
            frame = self.press(key, "this help")
            for keys, meaning in top_screen.KEYS:
                self.assertRegex(frame, rf"(?m)^{re.escape(keys)} +{re.escape(meaning)}$")
            self.assertIn("decaying: free", frame)
            self.press("x", "Threads")
        self.press(">", r"Classes.*by growth/min")
        self.press("<", r"Classes(: \d+ of \d+, by live bytes)?\n")
        self.press("\x1b[D", r"Classes.*by live\n")
        self.press("\x1b[C", r"Classes(: \d+ of \d+, by live bytes)?\n")
        self.press("r", r"Classes.*by live bytes, reversed")
        self.press("\t", r"Tab Threads")
        self.press(">", r"Threads.*by frees")
        self.press("\t", r"Tab Classes")
        self.press("+", r"every 2 s")
        self.press("-", r"every 1 s")
        self.press("-", r"every 0\.5 s")
        self.press("-", r"every 0\.5 s")
        frame = self.press("p", rf"(?m)^> +{process.pid} +observed ")
        self.assertRegex(frame, rf"(?m)^  +{other.pid} +observed ")
        self.press("\x1b", rf"^observed \({process.pid}\)")
        self.mark(self.press("p", rf"(?m)^> +{process.pid} "), other.pid)
        self.press("\r", rf"^observed \({other.pid}\)")
        os.write(self.leader, b"q")
        self.ended(0)

    def test_stat_fits_as_well(self) -> None:
        process = self.observed("load", "2")
        self.open([COMMAND, "stat", str(process.pid)], columns=40)
        while self.process.poll() is None:
            self.read()
        for _ in range(20):
            self.read()
        self.assertIn("live bytes", self.text)
        self.assertIn("owned: slabs that a thread takes", self.text.replace("\r\n", " "))
        for line in self.text.split("\r\n"):
            self.assertLessEqual(cell_len(line), 40, line)

    def test_a_terminal_that_knows_no_more_than_ascii(self) -> None:
        process = self.observed("quiet")
        self.top("--interval=0.5", str(process.pid), PYTHONIOENCODING="ascii")
        frame = self.wait_for(lambda text: re.search(r"_{3,}", text), "a trend")
        self.assertTrue(frame.isascii())
        os.write(self.leader, b"q")
        self.ended(0)

    def test_signals_give_the_terminal_back(self) -> None:
        process = self.observed("quiet")
        for number, status in ((signal.SIGINT, 0), (signal.SIGTERM, 143)):
            with self.subTest(number):
                self.text = ""
                self.top(str(process.pid))
                self.wait_for(lambda text: "Threads" in text, "drawn")
                self.process.send_signal(number)
                self.ended(status)

    def test_control_characters_are_signals(self) -> None:
        process = self.observed("quiet")
        self.top(str(process.pid))
        self.wait_for(lambda text: "Threads" in text, "drawn")
        # It has no shell that would wake it up, so the kernel stops it for no time: the screen is given back, and taken.
        os.write(self.leader, b"\x1a")
        while self.text.count(_ENTER) < 2:
            self.assertIsNone(self.process.poll(), self.text[-2000:])
            self.read()
        self.assertIn(_LEAVE, self.text)
        self.press("h", "this help")
        os.write(self.leader, b"\x03")
        self.ended(0)

    def test_the_end_of_the_process_gives_the_terminal_back(self) -> None:
        process = self.observed("quiet")
        self.top("--interval=0.5", str(process.pid))
        self.wait_for(lambda text: "Threads" in text, "drawn")
        process.communicate()
        self.ended(0)
        self.assertRegex(self.text.partition(_LEAVE)[2], rf"hakmem top: .*process {process.pid}")

    def test_an_exception_gives_the_terminal_back(self) -> None:
        script = "from tools.cli.terminal import Terminal\nwith Terminal().taken(): raise ValueError('here')"
        self.open([sys.executable, "-c", script], PYTHON_COLORS="0")
        self.ended(1)
        self.assertIn("ValueError: here", self.text.partition(_LEAVE)[2])

    def test_one_that_does_not_know_its_size_has_that_of_the_environment(self) -> None:
        for columns, expected in (("100", 100), ("", 80), ("\u00b2", 80), ("99999", 80), ("1" * 5000, 80)):
            with (
                mock.patch("os.get_terminal_size", return_value=os.terminal_size((0, 0))),
                mock.patch.dict(os.environ, COLUMNS=columns, LINES="30"),
            ):
                found = terminal._size_of(1)  # pylint: disable=protected-access
            self.assertEqual(found, (expected, 30))

    def test_keys_are_decoded(self) -> None:
        self.assertEqual(
            terminal.decoded(b"q\x1b[A\x1bOB\x1b\r\t\x01\xff<"), ["q", "up", "down", "escape", "enter", "tab", "<"]
        )

    def test_the_list_names_the_busiest_first(self) -> None:
        found = published.read(self.observed("quiet").pid)
        later = {**found, "clock_ms": found["clock_ms"] + 1000}
        busy = {**later, "pools": {**found["pools"], "tiny": {**found["pools"]["tiny"], "allocations": 10**6}}}
        listed = process_list.activity(
            {1: found, 2: found}, {1: {**later, "pid": 1}, 2: {**busy, "pid": 2}, 3: {**found, "pid": 3}}
        )
        self.assertEqual([one["pid"] for _, one in listed], [2, 1, 3])


if __name__ == "__main__":
    unittest.main()
