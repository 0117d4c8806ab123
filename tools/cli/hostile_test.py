# SPDX-License-Identifier: MIT
"""Who looks is safe: what a process publishes and shares, and how it calls itself, may be made to mislead who looks at it."""

from __future__ import annotations

import json
import math
import mmap
import os
import random
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from tools.cli import published, samples, shared, symbols, untrusted
from tools.cli.command import InputError
from tools.cli.hostile_case import HEADER, HostileCase, example, with_value
from tools.cli.observe_case import OBSERVED, SCHEMA

_ESCAPE = "\x1b]0;title\a\x1b[31m"
_SEED = 1


_PAGES = {
    "a list": b"[]",
    "nested deeply": b"[" * 100000,
    "no JSON": b"\xff{",
    "an infinite number": with_value("process/threads", 1).replace(b'"threads": 1,', b'"threads": 1e999,'),
    "no number": with_value("process/threads", 1).replace(b'"threads": 1,', b'"threads": NaN,'),
    "a number of ten thousand digits": with_value("clock_ms", 1).replace(
        b'"clock_ms": 1', b'"clock_ms": 1' + b"0" * 10000
    ),
    "a number of 65 bits": with_value("pools/l2/live_bytes", 2**64),
    "a negative number": with_value("pools/l2/live_bytes", -1),
    "truth as a number": with_value("threads/0/tid", True),
    "a number as a text": with_value("config", 5),
    "an object without a field": with_value("classes/0/block_size", None),
    "no pools": with_value("pools", {}),
    "a pool of another name": with_value("classes/0/pool", _ESCAPE),
    "another version": with_value("version", 2),
    "a player without a rating": with_value("classes/0/player", "lean"),
}


def damaged(sound: bytes, draw: random.Random) -> bytes:
    """With one to three changes, each of a byte, of a number's digit or of a part."""
    text = bytearray(sound)
    for _ in range(draw.randrange(1, 4)):
        at = draw.randrange(len(text))
        match draw.randrange(4):
            case 0:
                text[at] = draw.randrange(256)
            case 1:
                text[at] ^= 1 << draw.randrange(8)
            case 2:
                text[at:at] = draw.choice((b"0", b"-", b"9" * 30, b"e9", b'"', b"{", b"[", b"\0", b"\xff"))
            case _:
                del text[at : at + draw.randrange(1, 20)]
    return bytes(text)


class PageTest(HostileCase):
    def test_what_the_schema_takes_is_taken(self) -> None:
        self.publish(json.dumps(example()).encode())
        self.assertEqual(published.read(os.getpid()), {**example(), "pid": os.getpid()})
        for name in SCHEMA["required"]:
            with self.subTest(name), self.assertRaises(untrusted.Malformed):
                untrusted.statistics(with_value(name, None))

    def test_what_is_not_hakmems_is_refused_with_a_line(self) -> None:
        for name, text in _PAGES.items():
            with self.subTest(name), self.assertRaises(untrusted.Malformed) as refused:
                untrusted.statistics(text)
            self.assertTrue(str(refused.exception).isprintable() and len(str(refused.exception)) < 100, name)

    def test_one_line_and_a_status(self) -> None:
        self.publish(_PAGES["nested deeply"])
        self.refuse(
            published.MALFORMED, "what it publishes is not hakmem's: it is nested too deeply", "stat", str(os.getpid())
        )
        done = self.run_command("top", "--count=1", str(os.getpid()))
        self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (published.MALFORMED, "", 1))

    def test_damage_anywhere_does_no_harm(self) -> None:
        draw = random.Random(_SEED)
        sound = json.dumps(example()).encode()
        taken = 0
        for _ in range(3000):
            text = damaged(sound, draw)
            try:
                untrusted.statistics(text)
                taken += 1
            except untrusted.Malformed as refused:
                self.assertTrue(str(refused).isprintable() and len(str(refused)) < 100, (text, str(refused)))
        self.assertTrue(0 < taken < 3000)

    def test_any_header_is_read_or_refused(self) -> None:
        draw = random.Random(_SEED)
        text = json.dumps(example()).encode()
        descriptor = self.publish(text)
        sound = os.pread(descriptor, HEADER.size, 0)
        taken = 0
        for _ in range(500):
            os.pwrite(descriptor, sound, 0)
            os.pwrite(descriptor, damaged(sound, draw)[: HEADER.size], 0)
            try:
                published.read(os.getpid(), attempts=1)
                taken += 1
            except published.Unreachable as refused:
                self.assertTrue(str(refused).isprintable(), str(refused))
        self.assertTrue(0 < taken < 500)

    def test_headers(self) -> None:
        wrong: tuple[tuple[str, dict[str, int]], ...] = (
            ("length is more than a page", {"length": 2**63}),
            ("is cut", {"length": 1000, "size": 60}),
            ("is stopped in the middle", {"sequence": 1}),
            ("is cut", {"size": 50, "length": 3}),
        )
        for words, page in wrong:
            descriptor = self.publish(b"[]", **page)
            with self.subTest(page):
                with self.assertRaises(published.Unreachable) as refused:
                    published.read(os.getpid(), attempts=3)
                self.assertIn(words, str(refused.exception))
            os.ftruncate(descriptor, 0)  # none is found from now on

    def test_a_page_that_shrinks_while_it_is_read(self) -> None:
        descriptor = self.publish(json.dumps(example()).encode())
        page = published.open_page(os.getpid())
        self.addCleanup(page.close)
        self.assertEqual(page.read()["pid"], os.getpid())
        os.ftruncate(descriptor, 100)
        with self.assertRaises(published.Unreachable) as refused:
            page.read()
        self.assertEqual(refused.exception.status, published.MALFORMED)
        os.ftruncate(descriptor, 0)
        with self.assertRaises(published.Unreachable):
            page.read()

    def test_a_page_of_another_process_is_not_its_own(self) -> None:
        header = HEADER.pack(b"hakmem\0\0", 1, 1, 2, 0, 500, 2)
        self.share("hakmem", header + b"[]")
        with self.assertRaises(published.Unreachable) as refused:
            published.read(os.getpid())
        self.assertNotEqual(refused.exception.status, published.MALFORMED)

    def test_a_bad_page_hides_no_good_one(self) -> None:
        good = self.observed("quiet")
        self.publish(b"[]")
        listed = self.of_all("top", "--list", "--interval=0.5", malformed=(os.getpid(),))
        self.assertRegex(listed, rf"(?m)^{good.pid} +observed ")


class NameTest(HostileCase):
    def test_no_escape_sequence_of_a_programs_name_is_passed_on(self) -> None:
        process = self.start(OBSERVED, "quiet", named=f"/bin/{_ESCAPE}name")
        self.until(lambda: self.is_published(process.pid), "published")
        for text in (
            self.succeed("stat", str(process.pid)),
            self.of_all("top", "--list", "--interval=0.5"),
            self.succeed("top", "--count=1", "--interval=0.5", str(process.pid)),
        ):
            self.assertIn(r"\x1b]0;title\x07\x1b[31mname", text)
            self.assertNotIn("\x1b", text)

    def test_a_name_that_looks_like_a_line_of_the_kernels_hides_nobody(self) -> None:
        good = self.observed("quiet")
        comm = Path("/proc/self/comm")
        self.addCleanup(comm.write_bytes, comm.read_bytes().rstrip(b"\n"))
        for end in ("\r", "\f", "\v", "\x1c"):
            comm.write_bytes(f"{end}NSpid: x y".encode())
            with self.subTest(end):
                self.assertEqual(shared.own_number(os.getpid()), os.getpid())
                self.assertIn(good.pid, published.processes())

    def test_a_file_whose_name_has_the_end_of_a_line(self) -> None:
        for end in ("\r", "\f", "\x85", "\u2028", "\n"):
            with self.subTest(end), tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / f"a{end}b"
                path.write_bytes(b"mapped")
                with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ):
                    paths = [one.path for one in samples.mappings(os.getpid())]
                self.assertIn(str(path).replace("\n", r"\012"), paths)

    def test_printable(self) -> None:
        self.assertEqual(untrusted.printable("grün \x9b\x7f\n\u202e"), "grün \\x9b\\x7f\\n\\u202e")
        self.assertEqual(untrusted.printable("a" * 300), "a" * 197 + "...")
        self.assertEqual(untrusted.printable("\udcff"), "\\udcff")


class FileTest(HostileCase):
    """Descriptors of the right name that lead to other things."""

    def found(self, path: Path) -> list[int]:
        with mock.patch.object(shared, "name_of", lambda label: str(path)):
            return list(shared.open_shared(os.getpid(), "hakmem"))

    def test_other_things_than_nameless_regular_files_are_passed_over(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            fifo, regular = Path(folder) / "fifo", Path(folder) / "regular"
            os.mkfifo(fifo)
            regular.write_text("text")
            for path, flags in ((fifo, os.O_RDWR), (regular, os.O_RDONLY), (Path(folder), os.O_RDONLY)):
                self.addCleanup(os.close, os.open(path, flags))
                with self.subTest(path):
                    self.assertEqual(self.found(path), [])

    @unittest.skipUnless(os.geteuid() == 0, "makes a file of another user")
    def test_another_users_memory_is_passed_over(self) -> None:
        os.fchown(self.publish(b"[]"), 65534, 65534)
        self.assertEqual(list(shared.open_shared(os.getpid(), "hakmem")), [])

    def test_a_program_that_is_a_fifo_has_no_symbols(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            fifo = Path(folder) / "program"
            os.mkfifo(fifo)
            place = symbols.Place(str(fifo), 0x1000)
            self.assertEqual(symbols.resolve([place]), {place: symbols.Symbol(None, None, None)})

    def test_a_program_that_is_cut_has_no_symbols(self) -> None:
        whole = Path("/bin/true").read_bytes()
        with tempfile.TemporaryDirectory() as folder:
            for length in (0, 16, 64, len(whole) // 2):
                path = Path(folder) / f"cut{length}"
                path.write_bytes(whole[:length])
                place = symbols.Place(str(path), 0x1000)
                self.assertEqual(set(symbols.resolve([place])), {place})

    def test_no_escape_sequence_of_a_symbol_is_passed_on(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder) / "program"
            source = '__asm__(".globl \\"\\033[31mred\\"\\n\\"\\033[31mred\\": ret");\nint main(void) { return 0; }\n'
            done = subprocess.run(
                ["gcc", "-x", "c", "-o", program, "-"], input=source, text=True, check=False, capture_output=True
            )
            if done.returncode:
                self.skipTest("the assembler takes no such name")
            listed = subprocess.run(["nm", program], capture_output=True, text=True, check=True).stdout.splitlines()
            (address,) = (int(line.split()[0], 16) for line in listed if line.endswith("red"))
            (symbol,) = symbols.resolve([symbols.Place(str(program), address)]).values()
            self.assertEqual(symbol.function, r"\x1b[31mred")


class ProfileTest(HostileCase):
    _FRAMES_AT = 80 + 16384 * 64
    _SIZE = _FRAMES_AT + 262144 * 8

    def table(
        self,
        rate: int = 1,
        used: int = 1,
        record: tuple[int, ...] = (64, 0x1000, 2, 1),
        callers: int = 0,
        frames: tuple[int, ...] = (),
        frames_used: int | None = None,
        size: int = _SIZE,
        magic: bytes = b"hakprof4",
        state: tuple[int, int, int, int] = (1, 1, 1, 0),
        sampled: tuple[int, int, int] = (1, 2, 100),
    ) -> int:
        """Of one record; `callers` is what the record says of its own, and `sampled` its rate, thread and bytes asked for."""
        counts = (rate, *state, 0, used, len(frames) if frames_used is None else frames_used, 0)
        text = struct.pack("=8s9Q8Q", magic, *counts, *record, callers, *sampled)
        descriptor = self.share("hakmem-profile", text, size)
        if frames:
            os.pwrite(descriptor, struct.pack(f"={len(frames)}Q", *frames), self._FRAMES_AT)
        return descriptor

    def test_one_that_is_right(self) -> None:
        self.table()
        found = samples.read(os.getpid())
        self.assertEqual(
            [(one.size, one.allocations, one.live, one.scale, one.thread, one.asked) for one in found.records],
            [(64, 2, 1, 1, 2, 50)],
        )
        self.assertTrue(found.is_exact)

    def test_each_record_counts_by_its_own_rate(self) -> None:
        self.table(rate=1, sampled=(64, 2, 3))
        (record,) = samples.read(os.getpid()).records
        self.assertAlmostEqual(record.scale, 1 / (1 - math.exp(-1)))

    def test_a_profile_that_was_switched_is_not_exact(self) -> None:
        for state, words in (
            ((1, 0, 2, 1), "The profile was switched while the program ran, last"),
            ((0, 0, 2, 0), "The profile was switched off while the program ran:"),
            (
                (2**64 - 1, 2**64 - 1, 2**64 - 1, 2**64 - 1),
                "The profile was switched off while the program ran:",
            ),
        ):
            self.table(state=state)
            with self.subTest(state):
                said = self.succeed("leaks", str(os.getpid())).replace("\n", " ")
                self.assertIn(words, said)
                self.assertIn("; of blocks that were sampled", said)
                self.assertFalse(json.loads(self.succeed("leaks", "--format=json", str(os.getpid())))["exact"])
            self.doCleanups()

    def test_callers_are_behind_the_call(self) -> None:
        self.table(callers=1 << 8 | 3, frames=(9, 0x2000, 0x3000, 0x4000, 10))
        (record,) = samples.read(os.getpid()).records
        self.assertEqual(record.path, (0x1000, 0x2000, 0x3000, 0x4000))
        self.assertIs(record.end, samples.End.WHOLE)
        (site,) = json.loads(self.succeed("leaks", "--format=json", str(os.getpid())))["sites"]
        self.assertEqual([one["address"] for one in site["callers"]], [0x2000, 0x3000, 0x4000])
        self.assertEqual((site["address"], site["callers"][0]["function"]), (0x1000, None))

    def test_callers_that_are_not_known_are_said(self) -> None:
        self.table(callers=0 << 8 | 0x40 | 2, frames=(0x2000, 0x3000))
        (record,) = samples.read(os.getpid()).records
        self.assertEqual((record.path, record.end), ((0x1000, 0x2000, 0x3000), samples.End.OPEN))
        for command in (("leaks",), ("profile", "--view=tree")):
            self.assertRegex(self.succeed(*command, str(os.getpid())), r"(?m)^ *\(callers that are not known\) ")

    def test_callers_that_were_not_kept_are_said(self) -> None:
        self.table(callers=0 << 8 | 0x80 | 2, frames=(0x2000, 0x3000))
        (record,) = samples.read(os.getpid()).records
        self.assertEqual((record.path, record.end), ((0x1000, 0x2000, 0x3000), samples.End.CUT))
        self.assertRegex(self.succeed("leaks", str(os.getpid())), r"(?m)^  \(further callers\) *$")
        (site,) = json.loads(self.succeed("leaks", "--format=json", str(os.getpid())))["sites"]
        self.assertTrue(site["cut"])
        self.assertEqual(
            self.succeed("profile", "--view=folded", str(os.getpid())), "(further callers);0x3000;0x2000;0x1000 64\n"
        )

    def test_one_block_is_singular(self) -> None:
        self.table()
        self.assertIn("live: 64 B in 1 block; exact\n", self.succeed("leaks", str(os.getpid())))
        found = "Without 1 site of fewer bytes: --most=N shows more."
        self.assertIn(found, self.succeed("leaks", "--most=0", str(os.getpid())).replace("\n", " "))

    def test_what_is_not_hakmems_is_refused(self) -> None:
        faults: tuple[dict[str, Any], ...] = (
            {"rate": 0},
            {"rate": 2**63},
            {"used": 16385},
            {"record": (0, 1, 1, 0)},
            {"record": (1, 1, 1, 2)},
            {"size": 100},
            {"size": self._SIZE - 8},
            {"magic": b"hakprof2"},
            {"sampled": (0, 1, 0)},
            {"sampled": (2**40 + 1, 1, 0)},
            {"sampled": (1, 2**32, 0)},
            {"frames_used": 262145},
            {"frames_used": 2**63},
            {"callers": 1},
            {"callers": 1 << 8 | 2, "frames": (1, 2)},
            {"callers": (2**56 - 1) << 8 | 32, "frames": (1,) * 32},
            {"callers": 33, "frames": (1,) * 33},
            {"callers": 255, "frames": (1,) * 255},
        )
        for wrong in faults:
            self.table(**wrong)
            with self.subTest(wrong):
                with self.assertRaisesRegex(InputError, "what it shares is no profile"):
                    samples.read(os.getpid())
            self.doCleanups()
        self.table(rate=0)
        self.refuse(2, "what it shares is no profile", "leaks", str(os.getpid()))

    def test_damage_anywhere_does_no_harm(self) -> None:
        draw = random.Random(_SEED)
        descriptor = self.table(callers=1 << 8 | 3, frames=(9, 0x2000, 0x3000, 0x4000, 10))
        at = (range(80), range(80, 80 + 64), range(self._FRAMES_AT, self._FRAMES_AT + 40))
        sound = [os.pread(descriptor, len(one), one.start) for one in at]
        taken = 0
        for _ in range(600):
            for one, content in zip(at, sound):
                os.pwrite(descriptor, content, one.start)
            where = draw.choice(at)
            word = draw.choice((draw.getrandbits(64), draw.getrandbits(8), 2**64 - 1, 1 << draw.randrange(64), 0))
            os.pwrite(descriptor, struct.pack("=Q", word), draw.randrange(where.start, where.stop - 7))
            try:
                found = samples.read(os.getpid())
                taken += 1
                self.assertTrue(all(math.isfinite(one.scale) for one in found.records))
            except InputError as refused:
                self.assertTrue(str(refused).isprintable(), str(refused))
        self.assertTrue(0 < taken < 600)

    def test_the_largest_numbers_are_written(self) -> None:
        self.table(
            rate=2**40,
            sampled=(2**40, 2**32 - 1, 2**64 - 1),
            record=(2**64 - 1, 2**64 - 1, 2**64 - 1, 0),
            callers=262112 << 8 | 32,
            frames=(2**64 - 1,) * 262144,
        )
        with tempfile.TemporaryDirectory() as folder:
            for name in ("largest.pb.gz", "largest.heap"):
                self.succeed("profile", str(os.getpid()), "-o", f"{folder}/{name}")
                self.assertGreater((Path(folder) / name).stat().st_size, 0)
        self.succeed("leaks", str(os.getpid()))
        for view in ("top", "tree", "folded", "flame"):
            self.succeed("profile", f"--view={view}", "-o", "/dev/null", str(os.getpid()))
        self.assertTrue(math.isfinite(samples.read(os.getpid()).records[0].scale))


if __name__ == "__main__":
    unittest.main()
