# SPDX-License-Identifier: MIT
"""The recorder: small programs with known calls, read back event for event, and every way a program can end."""

from __future__ import annotations

import os
import platform
import resource
import signal
import subprocess
import tempfile
import unittest
from collections.abc import Mapping
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.measure import recording, trace_file
from tools.measure.process import clean_environment
from tools.measure.trace_file import End, Event, Kind, Trace

_MARK = 1234567
_TOO_MUCH = 2**62 - 1
_SECONDS = 120

HAKMEM = Path(__file__).absolute().parents[2] / "hakmem/preload/libhakmem.so"


class RecorderCase(unittest.TestCase):
    library: Path | None = None
    """What is preloaded beside the recorder; a subclass runs all its tests over another allocator."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.output = Path(folder.name) / "out.trace"

    def start(
        self, *command: str, limit: int | None = None, children: bool = True, options: Mapping[str, str] | None = None
    ) -> int:
        """Runs a program of testing/ under the recorder, with hakmem's options; its status, and nothing on standard error."""
        recording.clear(self.output)
        settings = recording.Settings(self.output, limit, children, self.library)
        done = subprocess.run(
            [str(recording.built(command[0])), *command[1:]],
            env=settings.environment(clean_environment(os.environ) | dict(options or {})),
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
        self.assertEqual(done.stderr, "")
        return done.returncode

    def record(
        self, *command: str, limit: int | None = None, children: bool = True, options: Mapping[str, str] | None = None
    ) -> Trace:
        self.assertEqual(self.start(*command, limit=limit, children=children, options=options), 0)
        return self.read(self.output)

    def read(self, path: Path) -> Trace:
        """The trace, by both readers: they have to find the same."""
        trace = trace_file.read(path)
        found = recording.info(path)
        self.assertEqual(found["complete"], trace.end is not None)
        if found["complete"]:
            self.assertEqual([event.number for event in trace.events], list(range(1, trace.end_events + 1)))
        kinds = Counter(Kind(event.kind).name.lower() for event in trace.events)
        for name, count in found["calls"].items():
            name = {"realloc_failed": "result_failed", "realloc_freed": "result_freed"}.get(name, name)
            self.assertEqual(count, kinds[name], name)
        return trace

    def between_marks(self, trace: Trace) -> list[Event]:
        """The events of the program's own calls: those between the two marks."""
        marks = [place for place, event in enumerate(trace.events) if event.size == _MARK]
        self.assertEqual(len(marks), 2)
        return trace.events[marks[0] + 2 : marks[1]]

    def hold(self, events: list[Event], *expected: tuple[object, ...]) -> None:
        """`expected`: kind, then what of size, count, log2 and block it has. A block is a place in the list."""
        numbers = [event.number for event in events]
        found = []
        for event in events:
            fields: list[object] = [Kind(event.kind).name]
            if Kind(event.kind) not in _WITHOUT_SIZE:
                fields.append(event.size)
            fields += [event.count] * (event.kind == Kind.CALLOC) + [1 << event.log2] * (event.kind in _ALIGNED)
            if event.kind in _TAKING:
                fields.append(numbers.index(event.block) if event.block else None)
            found.append(tuple(fields))
        self.assertEqual(found, list(expected))


_ALIGNED = (Kind.MEMALIGN, Kind.ALIGNED_ALLOC, Kind.POSIX_MEMALIGN)
_TAKING = (Kind.FREE, Kind.FREE_UNSEEN, Kind.REALLOC, Kind.REALLOCARRAY)
_WITHOUT_SIZE = (*_TAKING, Kind.FREE_NULL, Kind.FREE_UNKNOWN, Kind.REALLOC_UNKNOWN, Kind.RESULT_FREED, Kind.THREAD_END)


class CallsTest(RecorderCase):
    """Exact lists of events."""

    def steps(self, name: str) -> list[Event]:
        return self.between_marks(self.record("steps", name))

    def test_malloc_calloc_free(self) -> None:
        self.hold(
            self.steps("basic"),
            ("MALLOC", 10),
            ("CALLOC", 7, 3),
            ("MALLOC", 0),
            ("FREE", 1),
            ("FREE_NULL",),
            ("FREE", 0),
            ("FREE", 2),
        )

    def test_realloc(self) -> None:
        self.hold(
            self.steps("reallocs"),
            ("REALLOC", None),
            ("RESULT_BLOCK", 40),
            ("REALLOC", 1),
            ("RESULT_BLOCK", 4000),
            ("REALLOC", 3),
            ("RESULT_FAILED", _TOO_MUCH),
            ("REALLOCARRAY", 3),
            ("RESULT_BLOCK", 3000),
            ("REALLOCARRAY", 7),
            ("RESULT_FAILED", 2**64 - 1),
            ("MALLOC", 5),
            ("REALLOC", 10),
            ("RESULT_FREED",),
            ("FREE", 7),
        )

    def test_aligned(self) -> None:
        self.hold(
            self.steps("aligned"),
            ("MEMALIGN", 100, 64),
            ("FREE", 0),
            ("ALIGNED_ALLOC", 256, 128),
            ("FREE", 2),
            ("POSIX_MEMALIGN", 50, 4096),
            ("FREE", 4),
            ("VALLOC", 70),
            ("FREE", 6),
            ("PVALLOC", 80),
            ("FREE", 8),
            ("MEMALIGN", 10, 32),
            ("FREE", 10),
        )

    def test_calls_that_fail(self) -> None:
        self.hold(
            self.steps("failures"),
            ("FAILED", _TOO_MUCH),
            ("FAILED", 2**64 - 1),
            ("FAILED", _TOO_MUCH),
            ("FAILED", 20),
        )

    def test_calls_of_the_c_library(self) -> None:
        self.hold(self.steps("libc"), ("MALLOC", 13), ("FREE", 0))

    def test_operators(self) -> None:
        expected: list[tuple[object, ...]] = []
        for kind, sizes in (("MALLOC", range(10, 16)), ("ALIGNED_ALLOC", range(20, 26))):
            for size in sizes:
                expected += [(kind, size, *((64,) if kind != "MALLOC" else ())), ("FREE", len(expected))]
        events = self.between_marks(self.record("operators"))
        self.hold(events, *expected)
        # Each is called in a line of its own; libstdc++ would be one site for all.
        self.assertEqual(len({event.site for event in events if event.site}), 12)
        self.hold(self.between_marks(self.record("operators", "failing")), *expected)

    def test_threads(self) -> None:
        # hakmem's own thread, which ends with the second one of the program, frees what the C library gave it.
        trace = self.record("steps", "threads", options={"HAKMEM_PURGE_THREAD": "0"})
        events = [event for event in trace.events if event.size in (22, 33)]
        self.assertEqual([(event.thread, event.size) for event in events], [(0, 22), (1, 33)])
        frees = {event.block: event.thread for event in trace.events if event.kind == Kind.FREE}
        self.assertEqual([frees[event.number] for event in events], [1, 0])
        ends = [event.thread for event in trace.events if event.kind == Kind.THREAD_END]
        self.assertEqual((ends, trace.end_threads), ([1], 2))

    def test_sites(self) -> None:
        """Each call has a site of its own, in the program; equal calls have the same one."""
        trace = self.record("steps", "basic")
        events = self.between_marks(trace)
        sites = {event.site for event in events if event.size}
        self.assertEqual(len(sites), 2)
        marks = {event.site for event in trace.events if event.size == _MARK}
        self.assertEqual(len(marks), 1)
        self.assertEqual({trace.modules[trace.sites[site][0]] for site in sites | marks}, {""})
        self.assertEqual(Path(trace.program).name, "steps")
        # As the linker counted: the return address lies behind a call within the program's text.
        table = subprocess.run(
            ["nm", "--defined-only", str(recording.built("steps"))], capture_output=True, text=True, check=True
        ).stdout.split("\n")
        bounds = {line.split()[2]: int(line.split()[0], 16) for line in table if len(line.split()) == 3}
        for site in sites | marks:
            self.assertLess(bounds["_start"] & ~0xFFFF, trace.sites[site][1])
            self.assertLess(trace.sites[site][1], bounds["_fini"])

    def test_frees_that_are_not_seen(self) -> None:
        if self.library is not None:
            self.skipTest("__libc_free is the allocator's own name, and here another's")
        self.hold(self.steps("unseen"), ("MALLOC", 99), ("MALLOC", 98), ("FREE_UNSEEN", 0), ("FREE", 1))

    def test_closed_descriptors_do_no_harm(self) -> None:
        self.hold(self.steps("close_all"), ("MALLOC", 11), ("FREE", 0))

    def test_no_calls_at_all(self) -> None:
        trace = self.record("steps")
        self.assertEqual((trace.events, trace.end, trace.end_events), ([], End.EXIT, 0))

    def test_the_allocator_and_the_arguments_are_told(self) -> None:
        trace = self.record("steps", "basic", "exit")
        wanted = "libhakmem.so" if self.library is not None else "libc.so.6"
        self.assertEqual(Path(trace.allocator).name, wanted)
        self.assertEqual(trace.arguments[1:], ["basic", "exit"])


class CallsOverHakmemTest(CallsTest):
    """The same with hakmem preloaded behind the recorder."""

    library = HAKMEM


class ProcessesTest(RecorderCase):
    """Forks, execs and ends."""

    def children(self) -> list[Trace]:
        return [self.read(path) for path in recording.processes(self.output)]

    def test_a_child_has_a_trace_of_its_own(self) -> None:
        self.hold(self.between_marks(self.record("steps", "forks")), ("MALLOC", 44), ("FREE", 0))
        (child,) = self.children()
        self.hold(self.between_marks(child), ("FREE_UNKNOWN",), ("MALLOC", 55), ("FREE", 1))
        self.assertEqual(child.parent, self.read(self.output).pid)
        self.assertEqual((child.end, child.events[0].number), (End.EXIT, 1))

    def test_a_fork_that_libc_does_not_know_of(self) -> None:
        self.hold(self.between_marks(self.record("steps", "raw_fork")), ("MALLOC", 44), ("FREE", 0))
        (child,) = self.children()
        self.assertEqual([event.size for event in child.events], [55, 0])

    def test_vfork_borrows_the_parents_trace(self) -> None:
        trace = self.record("steps", "vforks")
        self.hold(self.between_marks(trace), ("MALLOC", 66), ("FREE", 0))
        self.assertEqual((trace.end, self.children()), (End.EXIT, []))

    def test_children_are_left_out_on_demand(self) -> None:
        self.assertEqual(self.record("steps", "forks", children=False).end, End.EXIT)
        self.record("steps", "basic", "exec", children=False)
        self.assertEqual(self.children(), [])

    def test_exec(self) -> None:
        before = self.record("steps", "basic", "exec")
        self.assertEqual(before.end, End.EXEC)
        (after,) = self.children()
        self.assertEqual((after.pid, after.end, after.arguments[1:]), (before.pid, End.EXIT, ["basic"]))
        self.assertEqual(len(self.between_marks(after)), 7)

    def test_an_exec_that_fails_ends_nothing(self) -> None:
        trace = self.record("steps", "failed_exec")
        self.hold(self.between_marks(trace), ("MALLOC", 77), ("FREE", 0), ("MALLOC", 88), ("FREE", 2))
        self.assertEqual(trace.end, End.EXIT)

    def test_ends_that_leave_a_whole_trace(self) -> None:
        for how in ("exit", "_exit", "_Exit", "quick_exit", "handler", "pthread_exit"):
            with self.subTest(how):
                trace = self.record("steps", "basic", how)
                self.assertEqual((trace.end, len(self.between_marks(trace))), (End.EXIT, 7))

    def test_ends_that_leave_what_was_written(self) -> None:
        for how, number in (("kill", signal.SIGKILL), ("abort", signal.SIGABRT)):
            with self.subTest(how):
                self.assertEqual(self.start("steps", "basic", how), -number)
                trace = self.read(self.output)
                self.assertEqual((trace.end, trace.program != ""), (None, True))
                self.assertRaisesRegex(recording.TraceError, "incomplete", recording.ask, str(self.output))

    def test_a_killed_program_leaves_whole_chunks(self) -> None:
        self.assertEqual(self.start("churn", "4", "40000", "die"), -signal.SIGKILL)
        found = recording.info(self.output)
        self.assertFalse(found["complete"])
        self.assertEqual(found["unread_bytes"], 0)
        # Half of what it would have done, less what a few buffers hold.
        self.assertGreater(found["events"], 20_000)
        replayed = recording.ask("--incomplete", "--verify", str(self.output))
        self.assertGreater(replayed["operations"], 10_000)

    def test_a_handler_that_exits_in_the_middle_of_an_event(self) -> None:
        """It must not wait for what the interrupted event holds, and what it leaves must be readable."""
        for runs in range(400):
            self.assertEqual(self.start("steps", "basic", "interrupted"), 0)
            found = recording.info(self.output)
            if found["complete"]:
                self.assertGreater(found["events"], 100)
            if runs >= 20 and not found["complete"]:
                return
        self.fail("no event was interrupted in 400 runs")

    def test_a_handler_that_exits_at_each_instruction_of_the_recorder(self) -> None:
        """The chance that an interval timer has to meet two instructions is small."""
        instructions = 0
        while (status := self.start("steps", "basic", "stepped", str(instructions))) == 0:
            recording.info(self.output)
            instructions += 1
        self.assertEqual(status, 3)
        self.assertGreater(instructions, 200 if platform.machine() == "x86_64" else -1)

    def test_an_end_while_threads_go_on(self) -> None:
        """All that has a number is in the file, whatever the threads are doing when the trace is closed."""
        for _ in range(25):
            self.assertEqual(self.start("churn", "48", "300", "leave"), 0)
            found = recording.info(self.output)
            self.assertEqual((found["end"], found["dropped"]), ("exit", 0))
            self.assertGreater(found["events"], 300)

    def test_limit(self) -> None:
        trace = self.record("steps", "basic", limit=5)
        self.assertEqual((trace.end, trace.end_events, len(trace.events)), (End.LIMIT, 5, 5))
        for threads in ("1", "4"):
            self.assertEqual(self.start("churn", threads, "20000", limit=10_000), 0)
            found = recording.info(self.output)
            self.assertEqual((found["end"], found["events"], found["dropped"]), ("limit", 10_000, 0))

    def test_a_recorder_without_a_file_records_nothing_and_says_so(self) -> None:
        settings = recording.Settings(self.output)
        for name, value, said in (
            ("HAKTRACE_FILE", "relative", "HAKTRACE_FILE is not an absolute path"),
            ("HAKTRACE_FILE", "/nonexistent/folder/file", "cannot create /nonexistent/folder/file"),
            ("HAKTRACE_LIMIT", "many", "HAKTRACE_LIMIT is not a number"),
        ):
            environment = settings.environment(clean_environment(os.environ)) | {name: value}
            done = subprocess.run(
                [str(recording.built("steps")), "basic"], env=environment, capture_output=True, text=True, check=False
            )
            self.assertEqual((done.returncode, done.stdout), (0, ""))
            self.assertIn(said, done.stderr)
            self.assertFalse(self.output.exists())

    def test_a_full_disk_ends_the_trace_not_the_program(self) -> None:
        def limit_files() -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

        environment = recording.Settings(self.output).environment(clean_environment(os.environ))
        done = subprocess.run(
            [str(recording.built("churn")), "2", "100000"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=limit_files,
        )
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stderr.count("\n"), 1)
        self.assertIn("cannot write", done.stderr)
        found = recording.info(self.output)
        self.assertEqual((found["complete"], found["unread_bytes"] > 0), (False, True))
        self.assertGreater(found["events"], 1000)


class LoadTest(RecorderCase):
    """Many threads, many calls."""

    def runs(self) -> Iterator[dict[str, Any]]:
        for threads in ("1", "2", "3", "8", "16"):
            for _ in range(3):
                self.assertEqual(self.start("churn", threads, "8000"), 0)
                yield recording.info(self.output)

    def test_no_event_is_lost_and_every_free_finds_its_block(self) -> None:
        for found in self.runs():
            self.assertEqual((found["end"], found["dropped"]), ("exit", 0))
            calls = found["calls"]
            self.assertEqual((calls["free_unknown"], calls["free_unseen"], calls["realloc_unknown"]), (0, 0, 0))
            self.assertLess(found["left_blocks"], 100)
            replayed = recording.ask("--verify", str(self.output))
            self.assertEqual(replayed["handed_over"], found["handed_over"])

    def test_children_of_a_process_with_threads(self) -> None:
        self.assertEqual(self.start("churn", "4", "20000", "fork"), 0)
        found = recording.processes(self.output)
        self.assertEqual(len(found), 30)
        for path in found:
            trace = self.read(path)
            self.assertEqual((trace.end, len(trace.events), trace.end_threads), (End.EXIT, 198, 1))

    def test_memory_does_not_grow_with_the_trace(self) -> None:
        def peak(calls: str) -> int:
            process = subprocess.Popen(
                [str(recording.built("churn")), "1", calls],
                env=recording.Settings(self.output).environment(clean_environment(os.environ)),
            )
            _pid, status, usage = os.wait4(process.pid, 0)
            process.returncode = status
            self.assertEqual(status, 0)
            kibibytes: int = usage.ru_maxrss
            return kibibytes * 1024

        short = peak("30000")
        self.output.unlink()
        long = peak("1500000")
        self.assertGreater(self.output.stat().st_size, 8 << 20)
        self.assertLess(long - short, 1 << 20)


if __name__ == "__main__":
    unittest.main()
