# SPDX-License-Identifier: MIT
"""`hakmem top` on a terminal: what the keys do, and what is drawn. terminal.py has the terminal, figures.py the tables."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import replace

from tools.cli import figures, fitted, process_list, published
from tools.cli.figures import DEFAULT_ORDERS, SORTED
from tools.cli.history import History, Statistics
from tools.cli.process_list import Activity
from tools.cli.published import Page, Unreachable
from tools.cli.terminal import END, Terminal

INTERVALS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 3600.0)

_POLL_SECONDS = 0.25

# The publisher's clock is coarse.
_EARLY_SECONDS = 0.05

KEYS = (
    ("q", "end"),
    ("h ?", "this help"),
    ("< >", "sort by the column on the left, on the right; arrow keys as well"),
    ("r", "the other way round"),
    ("Tab", "whether < > r are about classes or threads"),
    ("p", "another process: up, down, Enter; Escape stays"),
    ("+ -", "a longer, a shorter interval"),
)
"""For the help."""

_ARROW = {"left": "<", "right": ">"}


class Screen:
    def __init__(self, terminal: Terminal, page: Page, interval: float) -> None:
        self.page = page
        self._terminal = terminal
        self._interval = interval
        self._is_plain = "utf" not in (sys.stdout.encoding or "").lower()
        self._history = History(self._is_plain)
        self._orders = dict(DEFAULT_ORDERS)
        self._table = "Classes"
        self._mode: Callable[[str], None] = self._press_main
        """What the next key is for."""
        self._draw_now: Callable[[int, int], list[str]] = self._main_lines
        self._found: Activity = []
        self._read: dict[int, Statistics] = {}
        self._chosen = 0
        self._is_over = False

    # What is shown.

    def _hints(self, width: int) -> str:
        hints = (
            "q end",
            "h help",
            "< > sort",
            "p process",
            f"+ - every {self._interval:g} s",
            f"Tab {self._table}",
            "r turn",
        )
        return fitted.joined(hints, width, "  ")

    def _legend(self, width: int) -> list[str]:
        return ["", *textwrap.wrap(f"{figures.CAPTION} {figures.GROWTH_CAPTION}", max(10, min(width, 100)))]

    def _main_lines(self, width: int, height: int) -> list[str]:
        program = published.program_of(self.page.pid)
        lines = figures.screen(width, height - 1, self._history, program, self._orders)
        legend = self._legend(width)
        if len(lines) + len(legend) < height - 1:
            lines += legend
        return lines

    def _help_lines(self, width: int, height: int) -> list[str]:
        lines = []
        for keys, meaning in KEYS:
            lines += textwrap.wrap(meaning, width, initial_indent=f"{keys:5}", subsequent_indent=" " * 5)
        return lines + self._legend(width)

    def _list_lines(self, width: int, height: int) -> list[str]:
        grid = process_list.grid(self._found)
        room = max(1, height - 1 - 4)
        first = max(0, min(self._chosen - room // 2, len(grid.lines) - room))
        marked = [["> " if place == self._chosen else "", *line] for place, line in enumerate(grid.lines)]
        shown = replace(
            grid, columns=["", *grid.columns], lines=marked[first : first + room], words=3, title="Choose a process"
        )
        return fitted.lines(shown, width, ("pid", *process_list.IMPORTANCE))[1:]

    def _draw(self, width: int, height: int) -> None:
        lines = self._draw_now(width, height)[: height - 1]
        lines += [""] * (height - 1 - len(lines)) + [self._hints(width)]
        if self._is_plain:
            encoding = sys.stdout.encoding or "ascii"
            lines = [line.replace("─", "-").encode(encoding, "replace").decode(encoding) for line in lines]
        self._terminal.draw(lines, height)

    # What the keys do.

    def _press_main(self, key: str) -> None:
        key = _ARROW.get(key, key)
        order = self._orders[self._table]
        if key in ("h", "?"):
            self._go(self._press_help, self._help_lines)
        elif key == "p":
            self._read, self._found, self._chosen = {}, [], 0
            self._look_at_all()
            self._go(self._press_list, self._list_lines)
        elif key in ("<", ">"):
            columns = SORTED[self._table]
            place = columns.index(order.column) + (1 if key == ">" else -1)
            self._orders[self._table] = replace(order, column=columns[place % len(columns)])
        elif key == "r":
            self._orders[self._table] = replace(order, is_reversed=not order.is_reversed)
        elif key == "tab":
            self._table = "Threads" if self._table == "Classes" else "Classes"
        elif key in ("+", "="):
            self._interval = min((one for one in INTERVALS if one > self._interval), default=self._interval)
        elif key == "-":
            self._interval = max((one for one in INTERVALS if one < self._interval), default=self._interval)

    def _press_help(self, key: str) -> None:
        self._go(self._press_main, self._main_lines)

    def _press_list(self, key: str) -> None:
        if key in ("up", "k"):
            self._chosen = max(0, self._chosen - 1)
        elif key in ("down", "j"):
            self._chosen = max(0, min(len(self._found) - 1, self._chosen + 1))
        elif key == "escape":
            self._go(self._press_main, self._main_lines)
        elif key == "enter" and self._found:
            self._change_to(self._found[self._chosen][1]["pid"])

    def _go(self, mode: Callable[[str], None], draw: Callable[[int, int], list[str]]) -> None:
        self._mode, self._draw_now = mode, draw

    def _press(self, key: str) -> None:
        if key in ("q", END):
            self._is_over = True
        else:
            self._mode(key)

    def _change_to(self, pid: int) -> None:
        try:
            page = published.open_page(pid)
        except Unreachable:
            self._look_at_all()  # it has ended: it is not in the list any more
            return
        self.page.close()
        self.page = page
        self._history = History(self._is_plain)
        self._look()
        self._go(self._press_main, self._main_lines)

    # Readings.

    def _look_at_all(self) -> None:
        chosen = self._found[self._chosen][1]["pid"] if self._found else self.page.pid
        now = process_list.read_all(published.processes(), say=lambda error: None)
        known = {one["pid"]: rate for rate, one in self._found}
        self._found, self._read = process_list.activity(self._read, now, known), now
        places = [place for place, (_, one) in enumerate(self._found) if one["pid"] == chosen]
        self._chosen = places[0] if places else max(0, min(self._chosen, len(self._found) - 1))

    def _look(self) -> bool:
        """Takes a reading, if one is there that is an interval younger than the last; whether it did."""
        found = self.page.read()
        last = self._history.now
        if last is None or figures.seconds_between(last, found) >= self._interval - _EARLY_SECONDS:
            self._history.add(found, published.resident_bytes(self.page.pid))
            return True
        return False

    def run(self) -> None:
        """Until a key ends it, or the process does: Unreachable."""
        self._look()
        next_look = time.monotonic()
        is_new, drawn = True, (0, 0)
        while not self._is_over:
            size = self._terminal.size()
            if is_new or size != drawn:
                self._draw(*size)
                drawn = size
            keys = self._terminal.keys(max(0.0, next_look - time.monotonic()))
            for key in keys:
                self._press(key)
            is_new = bool(keys)
            if time.monotonic() >= next_look:
                next_look = time.monotonic() + _POLL_SECONDS
                self.page.renew()
                is_new |= self._look()
                if is_new and self._draw_now == self._list_lines:
                    self._look_at_all()
