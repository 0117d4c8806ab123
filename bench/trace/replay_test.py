# SPDX-License-Identifier: MIT
"""The replayer: what it makes of sound traces, that it notices broken allocators, and the order between threads."""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema

from tools.measure import peers, recording, trace_file
from tools.measure.process import clean_environment
from tools.measure.trace_file import Chunk, Event, Kind


def _schema() -> dict[str, Any]:
    """A worker's run, with what is otherwise in a replay's."""
    worker = json.loads((Path(__file__).parents[1] / "worker.schema.json").read_text())
    more = json.loads((Path(__file__).parent / "replay.schema.json").read_text())
    run: dict[str, Any] = worker["definitions"]["run"]
    return run | {
        "definitions": worker["definitions"],
        "properties": run["properties"] | more["properties"],
        "required": run["required"] + more["required"],
    }


_SCHEMA = _schema()
_LIBRARIES = {
    "glibc": None,
    "hakmem": str(Path(__file__).absolute().parents[2] / "hakmem/preload/libhakmem.so"),
    **{name: str(peers.library(name)) for name in ("jemalloc", "mimalloc", "tcmalloc")},
}
_BROKEN = str(Path(__file__).absolute().parents[1] / "libbroken-malloc.so")
_SECONDS = 240


def run(*arguments: str, preload: str | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    environment = clean_environment(os.environ) | more | ({"LD_PRELOAD": preload} if preload else {})
    return subprocess.run(
        [str(recording.built("replay")), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )


def by_thread(events: list[Event], each: int = 10**9) -> list[Chunk]:
    """Chunks of at most `each` events of one thread."""
    chunks = []
    for thread in dict.fromkeys(event.thread for event in events):
        own = [event for event in events if event.thread == thread]
        chunks += [trace_file.encode_events(own[at : at + each]) for at in range(0, len(own), each)]
    return chunks


class ReplayCase(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "made.trace"

    def write(self, events: list[Event], each: int = 10**9, ended: bool = True) -> None:
        threads = max((event.thread for event in events), default=0) + 1
        end = [trace_file.end(len(events), threads)] if ended else []
        self.path.write_bytes(trace_file.encode([trace_file.meta(), *by_thread(events, each), *end]))

    def replay(self, *arguments: str, preload: str | None = None) -> dict[str, Any]:
        done = run(*arguments, str(self.path), preload=preload)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        result: dict[str, Any] = json.loads(done.stdout)
        jsonschema.validate(result, _SCHEMA)
        return result

    def break_down(self, *arguments: str, preload: str | None = None, **more: str) -> str:
        done = run(*arguments, str(self.path), preload=preload, **more)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        return done.stderr


_EVERY_KIND = [
    Event(1, Kind.MALLOC, size=100),
    Event(2, Kind.CALLOC, size=10, count=30),
    Event(3, Kind.MEMALIGN, size=50, log2=8),
    Event(4, Kind.ALIGNED_ALLOC, size=64, log2=6),
    Event(5, Kind.POSIX_MEMALIGN, size=5000, log2=12),
    Event(6, Kind.VALLOC, size=70),
    Event(7, Kind.PVALLOC, size=80),
    Event(8, Kind.FREE_NULL),
    Event(9, Kind.FREE_UNKNOWN),
    Event(10, Kind.FAILED, size=2**63),
    Event(11, Kind.REALLOC, block=1),
    Event(12, Kind.RESULT_BLOCK, size=100_000),
    Event(13, Kind.REALLOC, block=0),
    Event(14, Kind.RESULT_BLOCK, size=30),
    Event(15, Kind.REALLOCARRAY, block=14),
    Event(16, Kind.RESULT_BLOCK, size=7),
    Event(17, Kind.REALLOC, block=12),
    Event(18, Kind.RESULT_FAILED, size=2**60),
    Event(19, Kind.REALLOC_UNKNOWN),
    Event(20, Kind.RESULT_BLOCK, size=9),
    Event(21, Kind.REALLOC, block=20),
    Event(22, Kind.RESULT_FREED),
    Event(23, Kind.REALLOC, block=16),
    Event(24, Kind.RESULT_BLOCK, size=0),
    Event(25, Kind.MALLOC, size=0),
    Event(26, Kind.FREE_UNSEEN, block=25),
    *(Event(25 + place, Kind.FREE, block=block) for place, block in enumerate((2, 3, 4, 5, 6, 7), start=2)),
    Event(33, Kind.MALLOC, size=1 << 20),
    Event(34, Kind.CALLOC, size=1, count=2**33 // 2**13),
    Event(35, Kind.THREAD_END),
]


class SoundTest(ReplayCase):
    """What comes out of sound traces."""

    def test_every_kind_under_every_allocator(self) -> None:
        self.write(_EVERY_KIND)
        self.assertIn("pvalloc, which this allocator does not have", self.break_down(preload=_LIBRARIES["jemalloc"]))
        checksums = set()
        for name, preload in _LIBRARIES.items():
            if name == "jemalloc":
                continue
            for mode in ((), ("--verify",), ("--memory",), ("--touch=none",), ("--touch=edges",)):
                with self.subTest(name, mode=mode):
                    result = self.replay(*mode, preload=preload)
                    # 35 events: 7 of them are halves of a realloc's pair, one tells a thread's end.
                    skipped = 3
                    self.assertEqual((result["operations"], result["skipped"]), (35 - 7 - 1 - skipped, skipped))
                    self.assertEqual(result["peak_live_bytes"], 100_000 + (1 << 20) * 2)
                    self.assertIn(Path(preload).name if preload else "libc.so", result["allocator"])
                    self.assertEqual(result["live_blocks"], 4)
                    checksums.add(result["checksum"])
        self.assertEqual(len(checksums), 1)

    def test_latency_times_every_call(self) -> None:
        self.write(_EVERY_KIND)
        for preload in (None, _LIBRARIES["hakmem"]):
            timed = self.replay("--latency", preload=preload)["latency"]
            self.assertEqual((timed["alloc"]["count"], timed["free"]["count"]), (15, 8))

    def test_an_empty_trace(self) -> None:
        self.write([])
        for mode in ("--verify", "--memory"):
            result = self.replay(mode)
            self.assertEqual((result["operations"], result["threads"]), (0, 0))

    def test_the_first_operations(self) -> None:
        self.write(_EVERY_KIND)
        whole = self.replay("--operations=1000", "--seed=7")
        self.assertEqual((whole["operations"], whole["seed"]), (24, 7))
        for count in range(1, 25):
            result = self.replay("--verify", f"--operations={count}")
            self.assertEqual(result["operations"], count)
        self.assertNotEqual(result["checksum"], self.replay("--operations=23")["checksum"])

    def test_what_the_recorder_writes_the_replayer_reads(self) -> None:
        settings = recording.Settings(self.path)
        for threads in ("1", "5"):
            recording.run([str(recording.built("churn")), threads, "5000"], settings)
            trace = trace_file.read(self.path)
            result = self.replay("--verify")
            made = [event for event in trace.events if event.kind in (Kind.MALLOC, Kind.CALLOC, Kind.RESULT_BLOCK)]
            frees = [event for event in trace.events if event.kind in (Kind.FREE, Kind.FREE_NULL)]
            self.assertEqual(result["operations"], len(made) + len(frees))
            # Encoded anew from what was decoded, it is the same trace.
            checksum = result["checksum"]
            self.write([replace(event, site=0) for event in trace.events], each=700)
            self.assertEqual(self.replay()["checksum"], checksum)

    def test_memory(self) -> None:
        draw = random.Random(1)
        events: list[Event] = []
        live: list[int] = []
        for number in range(1, 4001):
            if live and (number > 2000 or draw.random() < 0.2):
                events.append(Event(number, Kind.FREE, block=live.pop(draw.randrange(len(live)))))
            elif number <= 2000:
                events.append(Event(number, Kind.MALLOC, size=draw.randrange(1, 40_000)))
                live.append(number)
            else:
                break
        self.write(events)
        for preload in (None, _LIBRARIES["hakmem"], _LIBRARIES["jemalloc"]):
            result = self.replay("--memory", preload=preload)
            samples = result["samples"]
            self.assertGreaterEqual(len(samples), 50)
            self.assertEqual([sample["ms"] for sample in samples], sorted(sample["ms"] for sample in samples))
            most = max(sample["live_bytes"] for sample in samples)
            self.assertEqual(most // 2**20, result["peak_live_bytes"] // 2**20)
            self.assertEqual((samples[0]["live_bytes"], samples[-1]["live_bytes"]), (0, 0))
            # Every page is touched, so what lives is resident; and the replayer's own memory is not counted.
            for sample in samples:
                self.assertGreaterEqual(sample["rss_bytes"] + (64 << 10), sample["live_bytes"])
            self.assertGreaterEqual(result["peak_rss_bytes"], result["peak_live_bytes"])
            self.assertLess(result["peak_rss_bytes"], 3 * result["peak_live_bytes"])
            # What waits runs code for the first time, and a fault of a file's page maps those around it, 64 KiB.
            code = 256 << 10
            self.assertLessEqual(result["rss_after_decay_bytes"], result["rss_after_second_bytes"] + code)
            self.assertLessEqual(result["rss_after_second_bytes"], result["rss_after_free_bytes"] + code)

    def test_the_replayers_memory_is_in_no_figure(self) -> None:
        """A trace with ten times the calls and equal live bytes needs equal memory, by its figures."""
        peaks = []
        for count in (20_000, 200_000):
            events = []
            for number in range(1, count, 2):
                events += [Event(number, Kind.MALLOC, size=100), Event(number + 1, Kind.FREE, block=number)]
            self.write(events)
            result = self.replay()
            self.assertGreater(result["replayer_bytes"], 16 * count)
            peaks.append(result["peak_rss_bytes"])
        self.assertLess(abs(peaks[1] - peaks[0]), 256 << 10)

    def test_info_of_a_long_trace_needs_little_memory(self) -> None:
        events = []
        for number in range(1, 600_000, 2):
            events += [Event(number, Kind.MALLOC, size=100), Event(number + 1, Kind.FREE, block=number)]
        self.write(events, each=10_000)

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_DATA, (2 << 20, 2 << 20))

        command = [str(recording.built("replay")), "--info", str(self.path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=limit)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(json.loads(done.stdout)["events"], 600_000)
        # The positive control: to replay it there is not enough.
        done = subprocess.run(command[:1] + command[2:], capture_output=True, text=True, check=False, preexec_fn=limit)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("no memory for the calls", done.stderr)


class BrokenAllocatorTest(ReplayCase):
    """--verify notices an allocator that breaks a promise: the control that its checks can fail."""

    def promises(self) -> list[Event]:
        events: list[Event] = []

        def add(kind: Kind, **fields: int) -> int:
            events.append(Event(len(events) + 1, kind, **fields))
            return len(events)

        for _ in range(60):
            blocks = [
                add(Kind.MALLOC, size=200),
                add(Kind.CALLOC, size=20, count=10),
                add(Kind.ALIGNED_ALLOC, size=200, log2=7),
                add(Kind.MALLOC, size=200),
                add(Kind.MALLOC, size=200),
            ]
            add(Kind.REALLOC, block=blocks.pop(0))
            blocks.append(add(Kind.RESULT_BLOCK, size=300))
            for block in blocks:
                add(Kind.FREE, block=block)
        return events

    def test_each_broken_promise_is_noticed(self) -> None:
        self.write(self.promises())
        self.assertEqual(self.replay("--verify", preload=_BROKEN)["skipped"], 0)
        for promise, said in (
            ("overlap", "changed while it was live"),
            ("dirty", "a byte that is not zero"),
            ("forget", "realloc changed a byte of it"),
            ("misalign", "misaligned"),
        ):
            with self.subTest(promise):
                self.assertIn(said, self.break_down("--verify", preload=_BROKEN, BROKEN_MALLOC=promise))

    def test_a_library_without_a_call_of_the_trace(self) -> None:
        self.write([Event(1, Kind.MEMALIGN, size=100, log2=5)])
        message = self.break_down(preload=_BROKEN)
        self.assertIn("the trace calls memalign, which this allocator does not have", message)

    def test_no_memory(self) -> None:
        self.write([Event(1, Kind.MALLOC, size=2**46)])
        self.assertIn("no memory for a block", self.break_down())


class ThreadsTest(ReplayCase):
    """Blocks that pass between threads."""

    def test_a_relay(self) -> None:
        """Each block is freed by the next thread right after it was made: the tightest order there is."""
        for threads in (2, 3, 8):
            events = []
            for number in range(1, 6001):
                turn = number // 2
                if number % 2:
                    events.append(Event(number, Kind.MALLOC, thread=turn % threads, size=1 + number % 3000))
                else:
                    events.append(Event(number, Kind.FREE, thread=turn % threads, block=number - 1))
            self.write(events)
            for preload in _LIBRARIES.values():
                result = self.replay("--verify", preload=preload)
                self.assertEqual((result["threads"], result["handed_over"]), (threads, 3000))

    def test_random_order_many_times(self) -> None:
        for seed in range(8):
            draw = random.Random(seed)
            threads = draw.randrange(2, 7)
            events: list[Event] = []
            live: list[int] = []
            while len(events) < 8000:
                number, thread = len(events) + 1, draw.randrange(threads)
                choice = draw.random()
                if choice < 0.45 or not live:
                    events.append(Event(number, Kind.MALLOC, thread=thread, size=draw.randrange(2000)))
                    live.append(number)
                elif choice < 0.6:
                    block = live.pop(draw.randrange(len(live)))
                    events.append(Event(number, Kind.REALLOC, thread=thread, block=block))
                    events.append(Event(number + 1, Kind.RESULT_BLOCK, thread=thread, size=draw.randrange(1, 9000)))
                    live.append(number + 1)
                else:
                    events.append(Event(number, Kind.FREE, thread=thread, block=live.pop(draw.randrange(len(live)))))
            self.write(events, each=300)
            for preload in (None, _LIBRARIES["hakmem"]):
                result = self.replay("--verify", preload=preload)
                self.assertEqual((result["threads"], result["live_blocks"]), (threads, len(live)))
            if seed == 0:
                left = sum(events[block - 1].size for block in live)
                self.assertEqual(self.replay("--memory")["samples"][-1]["live_bytes"], left)

    def test_threads_one_after_the_other(self) -> None:
        """Five hundred threads, never more than two at a time: the replay may not have more either."""
        events: list[Event] = [Event(1, Kind.MALLOC, size=10)]
        for thread in range(1, 501):
            number = len(events) + 1
            events += [
                Event(number, Kind.MALLOC, thread=thread, size=50),
                Event(number + 1, Kind.FREE, thread=thread, block=number),
                Event(number + 2, Kind.THREAD_END, thread=thread),
            ]
        self.write(events)

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_AS, (256 << 20, 256 << 20))  # some thirty stacks

        command = [str(recording.built("replay")), "--verify", str(self.path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=limit)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(json.loads(done.stdout)["threads"], 501)

    def test_a_first_thread_without_events(self) -> None:
        self.write([Event(1, Kind.MALLOC, thread=2, size=8), Event(2, Kind.FREE, thread=1, block=1)])
        result = self.replay("--verify")
        self.assertEqual((result["threads"], result["handed_over"]), (2, 1))


if __name__ == "__main__":
    unittest.main()
