# SPDX-License-Identifier: MIT
"""Damaged, foreign and incomplete traces: each is refused with what is wrong, and the byte where."""

from __future__ import annotations

import random
import subprocess
import tempfile
import unittest
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tools.measure import recording, trace_file
from tools.measure.trace_file import Chunk, Event, Kind, Type, varints

_HEADER = 16
_HEAD = 16  # of a chunk
_EVENTS_START = 4  # varints of one byte each before the records

_SOUND = [
    Event(1, Kind.MALLOC, size=100),
    Event(2, Kind.MALLOC, size=300),
    Event(3, Kind.FREE, block=1),
    Event(4, Kind.REALLOC, block=2),
    Event(5, Kind.RESULT_BLOCK, size=50),
]


def records(*bytes_of: bytes, first: int = 1, last: int | None = None, count: int | None = None) -> Chunk:
    """A chunk of events whose records are given as bytes."""
    number = len(bytes_of) if count is None else count
    last = first + len(bytes_of) - 1 if last is None else last
    return Chunk(Type.EVENTS, varints(first, last, number, 0) + b"".join(bytes_of))


def record(kind: int, *fields: int, flags: int = 0x20) -> bytes:
    return bytes([kind | flags]) + varints(*fields)


class DamageTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "damaged.trace"

    def refuse(
        self, data: bytes, offset: int, words: str, options: Sequence[Sequence[str]] = ((), ("--info",), ("--paths",))
    ) -> None:
        """Asserts status 2, nothing on standard output, and one line with path, byte and `words`."""
        self.path.write_bytes(data)
        for option in options:
            done = subprocess.run(
                [str(recording.built("replay")), *option, str(self.path)], capture_output=True, text=True, check=False
            )
            self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
            self.assertRegex(done.stderr, rf"\Areplay: {self.path}: byte {offset}: [^\n]*{words}[^\n]*\n\Z")

    def accept(self, data: bytes) -> None:
        self.path.write_bytes(data)
        recording.ask("--verify", str(self.path))

    def refuse_chunks(
        self, chunks: Sequence[Chunk], place: int, within: int, words: str, ended: int | None = 5
    ) -> None:
        """`chunks` behind a sound start; the defect is `within` bytes behind the start of chunk `place`."""
        whole = [trace_file.meta(), *chunks, *([] if ended is None else [trace_file.end(ended)])]
        offset = _HEADER + sum(len(chunk.encode()) for chunk in whole[: place + 1]) + within
        self.refuse(trace_file.encode(whole), offset, words)

    def refuse_record(self, good: Sequence[bytes], bad: bytes, words: str, **more: int) -> None:
        """The record `bad` behind `good` ones in one chunk; the defect is where it begins."""
        chunk = records(*good, bad, **more)
        self.refuse_chunks([chunk], 0, _HEAD + _EVENTS_START + sum(map(len, good)), words, ended=len(good) + 1)


class ContainerTest(DamageTest):
    """The file, its header and its chunks."""

    def setUp(self) -> None:
        super().setUp()
        self.data = trace_file.encode([trace_file.meta(), trace_file.encode_events(_SOUND), trace_file.end(5)])
        self.offsets = [chunk.offset for chunk in trace_file.chunks_of(self.data)]
        self.accept(self.data)

    def test_what_is_no_trace(self) -> None:
        self.refuse(b"", 0, "it is empty")
        self.refuse(b"x", 0, "not a trace")
        self.refuse(b"\x7fELF" + bytes(100), 0, "not a trace")
        self.refuse(self.data[:8], 0, "header is cut: 8 bytes of 16")
        self.refuse(self.data[:15], 0, "header is cut")

    def test_what_cannot_be_read(self) -> None:
        for path, words in ((self.path.parent / "none", "No such file"), (self.path.parent, "not a file")):
            done = subprocess.run(
                [str(recording.built("replay")), str(path)], capture_output=True, text=True, check=False
            )
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertRegex(done.stderr, f"replay: {path}: byte 0: {words}")

    def test_version(self) -> None:
        self.refuse(trace_file.header(version=2) + self.data[_HEADER:], 8, "version 2; this program reads version 1")
        self.refuse(self.data[:9] + b"\x01" + self.data[10:], 0, "header is damaged")

    def test_every_cut(self) -> None:
        """A cut at any byte is found, at the start of the chunk that it cuts; --info reads what comes before."""
        for length in range(_HEADER, len(self.data)):
            if length in self.offsets or length == _HEADER:
                self.refuse(self.data[:length], length, "incomplete: it has no end", [()])
            else:
                start = max(offset for offset in self.offsets if offset < length)
                self.refuse(self.data[:length], start, f"the chunk is cut: .* {length - start} bytes", [()])
            found = recording.info(self.path)
            self.assertFalse(found["complete"])
            self.assertEqual(found["events"], 5 if length >= self.offsets[2] else 0)
            recording.ask("--incomplete", "--verify", str(self.path))

    def test_every_flipped_bit(self) -> None:
        """In a payload or a CRC the CRC finds it; in a length or a type that, or what does not fit then."""
        draw = random.Random(1)
        for place in range(_HEADER, len(self.data)):
            data = bytearray(self.data)
            data[place] ^= 1 << draw.randrange(8)
            start = max(offset for offset in self.offsets if offset <= place)
            self.refuse(bytes(data), start, "CRC does not fit|chunk is cut", [()])

    def test_length_beyond_the_file(self) -> None:
        data = bytearray(self.data)
        data[self.offsets[1] + 8 : self.offsets[1] + 12] = b"\xff\xff\xff\xff"
        self.refuse(bytes(data), self.offsets[1], "chunk is cut", [()])

    def test_bad_crc(self) -> None:
        self.refuse_chunks([replace(trace_file.encode_events(_SOUND), crc=0)], 0, 0, "CRC does not fit")

    def test_chunks_that_do_not_belong(self) -> None:
        events = trace_file.encode_events(_SOUND)
        self.refuse_chunks([Chunk(9, b"")], 0, 0, "no such type of chunk: 9")
        self.refuse_chunks([Chunk(Type.SITES, varints(1, 0), thread=3)], 0, 0, "thread 3 in a chunk that has none")
        self.refuse_chunks([events, trace_file.end(5), events], 2, 0, "behind the end", ended=None)
        self.refuse_chunks([replace(events, thread=1 << 20)], 0, 0, "thread 1048576 out of range")
        self.refuse_chunks([replace(events, thread=1)], 1, 0, "impossible content of a chunk of type 5")

    def test_contents_that_do_not_fit(self) -> None:
        for chunk in (
            Chunk(Type.META, b"\x01"),
            Chunk(Type.META, varints(1, 1, 1) + b"\x7fshort"),
            Chunk(Type.MODULES, varints(2, 1) + b"\x01a"),
            Chunk(Type.MODULES, varints(1, 1 << 40)),
            Chunk(Type.MODULES, varints(1, 2) + b"\x01a"),
            Chunk(Type.SITES, varints(1, 1, 1, 0)),
            Chunk(Type.SITES, varints(1, 1, 0)),
            Chunk(Type.CALLERS, varints(1, 1, 0)),
            Chunk(Type.EVENTS, varints(0, 1, 1, 0) + b"\x29"),
            Chunk(Type.EVENTS, varints(2, 1, 1, 0) + b"\x29"),
            Chunk(Type.EVENTS, varints(1, 1, 0, 0)),
            Chunk(Type.EVENTS, varints(1, 1, 2, 0) + b"\x29\x29"),
            Chunk(Type.EVENTS, varints(1, 9, 9, 0) + b"\x29"),
            Chunk(Type.EVENTS, b"\x80" * 11),
            Chunk(Type.END, varints(0, 1, 0)),
            Chunk(Type.END, varints(0, 1, 0, 3)),
            Chunk(Type.END, varints(0, 1, 0, 0, 0)),
            Chunk(Type.END, varints(0, 1 << 21, 0, 0)),
        ):
            with self.subTest(chunk=chunk):
                words = f"impossible content of a chunk of type {int(chunk.type)}"
                self.refuse_chunks([chunk], 0, 0, words, ended=None)

    def test_callers_that_do_not_fit(self) -> None:
        sites = Chunk(Type.SITES, varints(1, 3, 0, 1, 0, 2, 0, 3))
        told = Chunk(Type.CALLERS, varints(1, 2, 0, 1))
        end = trace_file.end(0)
        self.accept(trace_file.encode([trace_file.meta(), sites, told, Chunk(Type.CALLERS, varints(3, 1, 2)), end]))
        for before, bad in (
            ([sites], varints(1, 3, 0, 1, 3)),  # a site that calls itself
            ([sites], varints(2, 1, 3)),  # one that is told later: paths would be circles
            ([sites], varints(0, 1, 0)),
            ([sites], varints(1, 4, 0, 1, 2, 3)),
            ([sites], varints(4, 0)),
            ([sites], varints(1, 1 << 60)),
            ([sites], varints(1, 2, 0)),
            ([sites], varints(1, 1, 0, 0)),
            ([sites, told], varints(2, 1, 1)),
        ):
            with self.subTest(bad=bad):
                chunks = [*before, Chunk(Type.CALLERS, bad)]
                self.refuse_chunks(chunks, len(before), 0, "impossible content of a chunk of type 6", ended=None)

    def test_a_thread_that_goes_back(self) -> None:
        chunk = trace_file.encode_events(_SOUND[:3])
        self.refuse_chunks([chunk, chunk], 1, 0, "impossible content")


class RecordTest(DamageTest):
    """Single records, and what they say about each other. All CRCs fit."""

    made = record(Kind.MALLOC, 100, 0)

    def test_kinds_and_numbers(self) -> None:
        self.accept(trace_file.encode([trace_file.meta(), records(self.made), trace_file.end(1)]))
        for byte in (0x00 | 0x20, 20 | 0x20, 31 | 0x20, 0x80 | Kind.FREE_NULL | 0x20):
            self.refuse_record([self.made], bytes([byte]) + bytes(4), "there is no such kind")
        self.refuse_record([self.made], bytes([Kind.FREE_NULL, 0]), "a number that is not in its chunk's range")
        self.refuse_record([self.made], bytes([Kind.FREE_NULL, 2]), "a number that is not in its chunk's range")
        self.refuse_record([], bytes([Kind.FREE_NULL, 2]), "a number that is not in its chunk's range", last=2)

    def test_fields(self) -> None:
        for bad, words in (
            (record(Kind.MALLOC) + b"\xff" * 10, "more than 64 bits"),
            (record(Kind.MALLOC) + b"\x80", "does not end in its chunk"),
            (record(Kind.MALLOC, 100), "does not end in its chunk"),
            (record(Kind.MALLOC, 2**47, 0), "a size that no block has"),
            (record(Kind.RESULT_BLOCK, 2**63, 0), "a size that no block has"),
            (record(Kind.CALLOC, 2**32, 2**32, 0), "a product of count and size that no block has"),
            (record(Kind.CALLOC, 2**24, 2**24, 0), "a product of count and size that no block has"),
            (record(Kind.MEMALIGN, 47, 8, 0), "an alignment that no block has"),
            (record(Kind.MALLOC, 8, 1), "a site that is not told"),
            (record(Kind.FREE, 0), "a block that is its own event"),
            (record(Kind.FREE, 2), "a block from before the first event"),
            (record(Kind.REALLOC, 99), "a block from before the first event"),
        ):
            with self.subTest(words, bad=bad):
                self.refuse_record([self.made], bad, words)

    def test_counts_of_a_chunk(self) -> None:
        chunk = records(self.made, self.made, count=3, last=3)
        # Long enough to hold three by its length: the third is where the bytes end.
        self.refuse_chunks([chunk], 0, len(chunk.encode()), "the chunk says that it has more", ended=3)
        chunk = records(self.made, self.made, count=1, last=1)
        self.refuse_chunks([chunk], 0, _HEAD + _EVENTS_START + 3, "the chunk says that it was the last", ended=1)

    def test_blocks(self) -> None:
        free = record(Kind.FREE, 1)
        again = record(Kind.FREE, 2)
        self.refuse_record([self.made, free], again, "event 3 takes block 1, which was never made or is gone already")
        self.refuse_record([record(Kind.FREE_NULL)], free, "event 2 takes block 1, which was never made")
        self.refuse_record([self.made, free], record(Kind.REALLOC, 2), "event 3 takes block 1")
        self.refuse_record([self.made, free], record(Kind.FREE_UNSEEN, 2), "event 3 takes block 1")

    def test_reallocs(self) -> None:
        result = record(Kind.RESULT_BLOCK, 10, 0)
        begin = record(Kind.REALLOC, 1)
        self.refuse_record([self.made], result, "a result without a realloc before it")
        self.refuse_record([self.made, begin], record(Kind.FREE_NULL), "a realloc without its result")
        self.refuse_record([self.made, begin, result], result, "a result without a realloc before it")

    def test_threads_and_numbers(self) -> None:
        first = [Event(1, Kind.MALLOC, size=10), Event(3, Kind.FREE, block=1)]

        def chunks(*other: Event) -> list[Chunk]:
            return [trace_file.encode_events(first), trace_file.encode_events(other)]

        def refuse(other: Event, place: int, within: int, words: str, events: int) -> None:
            whole = [trace_file.meta(), *chunks(other), trace_file.end(events, threads=2)]
            offset = _HEADER + sum(len(chunk.encode()) for chunk in whole[: place + 1]) + within
            self.refuse(trace_file.encode(whole), offset, words)

        start = _HEAD + _EVENTS_START
        whole = [trace_file.meta(), *chunks(Event(2, Kind.FREE_NULL, thread=1)), trace_file.end(3, threads=2)]
        self.accept(trace_file.encode(whole))
        refuse(Event(3, Kind.FREE_NULL, thread=1), 0, start + 2, "event 2 is missing: this is event 3", 3)
        refuse(Event(1, Kind.FREE_NULL, thread=1), 1, start, "event 1 is there twice", 3)
        refuse(Event(2, Kind.FREE_NULL, thread=1), 2, 0, "the end counts 4 events, there are 3", 4)
        refuse(Event(2, Kind.FREE, thread=1, block=1), 0, start + 2, "event 3 takes block 1", 3)

    def test_operations_do_not_hide_a_defect(self) -> None:
        """The whole trace is checked, however little of it is replayed."""
        chunk = records(self.made, record(Kind.FREE, 1), record(Kind.FREE, 2))
        data = trace_file.encode([trace_file.meta(), chunk, trace_file.end(3)])
        offset = len(data) - len(trace_file.end(3).encode()) - 2
        self.refuse(data, offset, "event 3 takes block 1", [("--operations=1",)])


class FuzzTest(DamageTest):
    """Any bytes behind a fitting CRC: understood or refused, nothing else, whatever is asked of the trace."""

    ASKED = (("--info",), ("--paths",), ("--touch=none",), ("--touch=none", "--incomplete"))

    def test_random_payloads(self) -> None:
        draw = random.Random(1)
        events = [
            Event(1, Kind.MALLOC, size=100, site=1),
            Event(2, Kind.CALLOC, size=8, count=20, site=1),
            Event(3, Kind.FREE, block=1),
            Event(4, Kind.REALLOC, block=2),
            Event(5, Kind.RESULT_BLOCK, size=5000, site=2),
            Event(6, Kind.ALIGNED_ALLOC, size=64, log2=6),
            Event(7, Kind.THREAD_END),
        ]
        sound = [
            trace_file.meta(),
            Chunk(Type.MODULES, varints(1, 1) + trace_file.string(b"/lib/a.so")),
            Chunk(Type.SITES, varints(1, 2, 1, 4096, 0, 70)),
            trace_file.encode_events(events),
            trace_file.encode_events([Event(8, Kind.FREE, thread=1, block=5)]),
            trace_file.end(8, 2),
        ]
        self.accept(trace_file.encode(sound))
        statuses = set()
        for round_ in range(800):
            asked = self.ASKED[round_ % len(self.ASKED)]
            place = draw.randrange(len(sound))
            payload = bytearray(sound[place].payload)
            for _ in range(draw.randrange(1, 4)):
                at = draw.randrange(len(payload))
                match draw.randrange(3):
                    case 0:
                        payload[at] = draw.randrange(256)
                    case 1:
                        payload[at:at] = bytes([draw.choice((0, 1, 0x7F, 0x80, 0xFF))])
                    case _ if len(payload) > 1:
                        del payload[at]
            chunks = [*sound[:place], replace(sound[place], payload=bytes(payload)), *sound[place + 1 :]]
            self.path.write_bytes(trace_file.encode(chunks))
            done = subprocess.run(
                [str(recording.built("replay")), *asked, str(self.path)], capture_output=True, check=False, timeout=600
            )
            # A block may be of a size that this machine has not.
            is_too_large = done.returncode == 1 and b"no memory for a block" in done.stderr
            self.assertTrue(done.returncode in (0, 2) or is_too_large, (asked, payload, done.returncode, done.stderr))
            statuses.add((asked, done.returncode))
        self.assertLessEqual({(asked, status) for asked in self.ASKED for status in (0, 2)}, statuses)


class IncompleteTest(DamageTest):
    """Traces without an end."""

    def test_events_behind_a_missing_number_are_dropped(self) -> None:
        chunks = [
            trace_file.meta(),
            trace_file.encode_events([Event(1, Kind.MALLOC, size=10), Event(4, Kind.FREE, block=1)]),
            trace_file.encode_events([Event(2, Kind.MALLOC, thread=1, size=20, site=7)]),
            trace_file.encode_events([Event(6, Kind.FREE, block=1)]),
        ]
        self.path.write_bytes(trace_file.encode(chunks))
        found = recording.info(self.path)
        self.assertEqual((found["complete"], found["events"], found["dropped"]), (False, 2, 2))
        replayed = recording.ask("--incomplete", "--verify", str(self.path))
        self.assertEqual((replayed["operations"], replayed["dropped"], replayed["live_blocks"]), (2, 2, 2))

    def test_a_realloc_without_its_result_leaves_the_block(self) -> None:
        endings: tuple[list[Chunk], ...] = ([], [trace_file.end(2)])
        for ending in endings:
            events = trace_file.encode_events([Event(1, Kind.MALLOC, size=10), Event(2, Kind.REALLOC, block=1)])
            self.path.write_bytes(trace_file.encode([trace_file.meta(), events, *ending]))
            replayed = recording.ask("--incomplete", "--verify", str(self.path))
            self.assertEqual((replayed["operations"], replayed["live_blocks"]), (1, 1))
            self.assertEqual(recording.info(self.path)["left_bytes"], 10)


class ArgumentsTest(unittest.TestCase):
    def test_wrong_arguments(self) -> None:
        for line in (
            (),
            ("a", "b"),
            ("--unknown", "a"),
            ("--touch=all", "a"),
            ("--operations=0", "a"),
            ("--operations=x", "a"),
            ("--operations=99999999999999999999", "a"),
            ("--seed=-1", "a"),
            ("--verify", "--memory", "a"),
        ):
            done = subprocess.run([str(recording.built("replay")), *line], capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stdout), (2, ""), line)
            self.assertIn("usage: ", done.stderr)


if __name__ == "__main__":
    unittest.main()
