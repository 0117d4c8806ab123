# SPDX-License-Identifier: MIT
"""//bench:readers: what those who read a program cost the threads of it that allocate.

Each round has three runs of one program whose threads replace blocks: alone; beside readers of another process, which is what
the readers' own load does to the machine; and beside the same readers when they read this very program. The second runs
twice, as the floor: what differs where nothing does. A figure is processor time of the allocating threads alone, by the
operation; a ratio is of one round. Readers start anew as soon as they are through, and a run goes on until each was.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.engine import worker
from tools.measure import arguments, inference, paired, process, program, rounds, table
from tools.measure.inference import Estimate
from tools.measure.program import BenchError

NAME = "readers"

WALK = "walk"
"""By the program itself, hak_walk; all else is a command."""

READERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "stat": (("stat", "--format=json"),),
    "top": (("top", "--format=json", "--interval=0.5", "--count=3"),),
    "profile": (("profile", "--on"), ("profile", "--off")),
    WALK: (),
}
"""What each runs, one after the other, before it starts anew."""

# The runs of a round.
ALONE, ELSEWHERE, AGAIN, BESIDE = "alone", "elsewhere", "again", "beside"

_SECONDS = 2
_THREADS = 2
_THREADS_MOST = 64

# Until a program publishes, which takes one; and until a tool is through, which takes a fraction of one.
_PUBLISHED_SECONDS = 60
_ANSWER_SECONDS = 600

CAPTION = (
    "Ratios of processor time of the allocating threads, by the operation, medians over rounds with the 95 % interval. floor: "
    "beside readers of another process, against the same again. load: that against alone. reading: beside readers of this "
    "program, against beside the same readers of another process; slower or faster where all of the interval is beyond the "
    "floor. done: how often, in a run, each reader was through."
)


@dataclass(frozen=True)
class Run:
    """One run of the program."""

    cpu_ns: float
    """By the operation."""
    done: Mapping[str, int]
    """Reader -> how often it was through meanwhile, whoever was read."""


class Program:
    """The program whose threads allocate, ready to do so. `words` are those behind its name, `wrapper` what starts it in our
    place, and `variables` are added to its environment."""

    def __init__(self, *words: str, wrapper: Sequence[str] = (), **variables: str) -> None:
        environment = process.clean_environment(os.environ) | {"LD_PRELOAD": str(worker.library("libhakmem.so"))}
        self.process = subprocess.Popen(
            [*wrapper, str(worker.built("bench/writers")), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment | variables,
        )
        self._line()

    def _line(self) -> str:
        assert self.process.stdout is not None
        found = self.process.stdout.readline()
        if not found:
            raise BenchError("the program that allocates did not go on")
        return found

    def wait_until_published(self) -> None:
        deadline = time.monotonic() + _PUBLISHED_SECONDS
        while _answer("stat", str(self.process.pid)):
            if time.monotonic() > deadline:
                raise BenchError("the program that allocates does not publish")
            time.sleep(0.05)

    def say(self) -> None:
        """A line, which begins or ends what is counted."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise BenchError("the program that allocates has ended") from error

    def result(self) -> dict[str, int]:
        """What was done."""
        found: dict[str, int] = json.loads(self._line())
        return found

    def finish(self) -> None:
        """Its standard input ends."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def kill(self) -> None:
        self.process.kill()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):  # what was not read is nobody's any more
                    stream.close()
        self.process.wait()


def _answer(*line: str) -> str:
    """What a command said of a failure; "" where there was none."""
    done = subprocess.run(
        [str(worker.built("tools/cli/hakmem")), *line],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=_ANSWER_SECONDS,
    )
    return "" if done.returncode == 0 else done.stderr.strip() or f"{line[0]} ended with {done.returncode}"


class _Reading:
    """Readers of a process that start anew until stop()."""

    def __init__(self, names: Sequence[str], pid: int) -> None:
        self._is_over = threading.Event()
        self._said: list[str] = []
        self.done = {name: 0 for name in names if READERS[name]}
        """How often each was through."""
        self._threads = [threading.Thread(target=self._read, args=(name, str(pid))) for name in self.done]
        for thread in self._threads:
            thread.start()

    def _read(self, name: str, pid: str) -> None:
        while not self._is_over.is_set():
            for line in READERS[name]:
                try:
                    said = _answer(*line, pid)
                except (OSError, subprocess.TimeoutExpired) as error:
                    said = str(error)
                if said:
                    self._said.append(f"{name}: {said}")
                    return
            self.done[name] += 1

    def wait(self, seconds: float) -> dict[str, int]:
        """For so long, and until each was through; how often each was by then."""
        end = time.monotonic() + seconds
        while time.monotonic() < end or not all(self.done.values()):
            if self._said:
                raise BenchError(self._said[0])
            time.sleep(0.01)
        return dict(self.done)

    def stop(self) -> None:
        """Waits for those that are on their way."""
        self._is_over.set()
        for thread in self._threads:
            thread.join()


@contextlib.contextmanager
def _reading(names: Sequence[str], pid: int) -> Iterator[_Reading]:
    found = _Reading(names, pid)
    try:
        yield found
    finally:
        found.stop()


@contextlib.contextmanager
def _started(threads: int, is_walked: bool) -> Iterator[Program]:
    found = Program(str(threads), "0", *([WALK] if is_walked else []), HAKMEM_PUBLISH="1")
    try:
        found.wait_until_published()
        yield found
    finally:
        found.kill()


def measure(threads: int, seconds: int, turn: rounds.Turn[tuple[str, ...], str]) -> Run:
    """Beside the program another one always waits, which holds as many blocks: it is the one that others are to read."""
    names = () if turn.key == ALONE else turn.slot
    is_beside = turn.key == BESIDE
    is_walked = WALK in names
    with _started(threads, is_walked and is_beside) as own, _started(threads, is_walked and not is_beside) as other:
        own.say()
        with _reading(names, (own if is_beside else other).process.pid) as reading:
            done = reading.wait(seconds)
            own.say()
            said = own.result()
        if is_walked and is_beside:
            done[WALK] = said["walks"]
        elif is_walked:
            other.finish()
            done[WALK] = other.result()["walks"]
    return Run(said["cpu_ns"] / said["operations"], done)


@dataclass(frozen=True)
class Row:
    """What some readers cost."""

    readers: str
    cpu_ns: float
    """Alone, by the operation: the median."""
    floor: Estimate
    load: Estimate
    reading: Estimate
    done: Mapping[str, int]
    """Of the program itself, in a run: the fewest."""


def row(readers: Sequence[str], runs: Mapping[str, Sequence[Run]], seed: int) -> Row:
    """From the runs of some rounds, at least one."""
    times = {key: [run.cpu_ns for run in of_key] for key, of_key in runs.items()}

    def ratio(key: str, baseline: str) -> Estimate:
        return inference.estimate(paired.log_ratios(times[key], times[baseline]), seed)

    return Row(
        ", ".join(readers),
        statistics.median(times[ALONE]),
        floor=ratio(AGAIN, ELSEWHERE),
        load=ratio(ELSEWHERE, ALONE),
        reading=ratio(BESIDE, ELSEWHERE),
        done={name: min(run.done[name] for run in runs[BESIDE]) for name in readers},
    )


def verdicts(rows: Sequence[Row]) -> list[str]:
    """Of reading, corrected over all rows: "slower" where all of its interval is beyond the floor."""
    floors = [None if one.floor.ratio is None else inference.reach(one.floor.ratio) for one in rows]
    return [one.verdict.value for one in inference.judged([one.reading for one in rows], floors)]


def _shown(estimate: Estimate) -> str:
    whole = f"{estimate.median:.3f}"
    return whole if estimate.ratio is None else f"{whole} ({table.interval(estimate.ratio)})"


def grid(rows: Sequence[Row]) -> table.Grid:
    lines = [
        [
            one.readers,
            f"{one.cpu_ns:.1f}",
            _shown(one.floor),
            _shown(one.load),
            _shown(one.reading),
            verdict,
            ", ".join(f"{count} {name}" for name, count in one.done.items()),
        ]
        for one, verdict in zip(rows, verdicts(rows))
    ]
    return table.Grid("readers", ["readers", "ns alone", "floor", "load", "reading", "verdict", "done"], lines, words=1)


def _chosen(text: str) -> tuple[str, ...]:
    """For argparse."""
    names = tuple(text.split(","))
    for name in names:
        if name not in READERS:
            raise argparse.ArgumentTypeError(f"there is no reader '{name}': {', '.join(READERS)}")
    return names


def slots(readers: Sequence[str]) -> list[tuple[str, ...]]:
    """Each by itself, and all at once."""
    names = tuple(dict.fromkeys(readers))
    found: list[tuple[str, ...]] = [(name,) for name in names]
    return found if len(found) == 1 else [*found, names]


def _parser() -> argparse.ArgumentParser:
    parser = arguments.bare_parser(
        NAME, "What readers of a program cost the threads of it that allocate.", arguments.ENVIRONMENT
    )
    number = arguments.whole_number
    parser.add_argument(
        "--readers", type=_chosen, default=tuple(READERS), metavar="A,B", help=f"which (default: {','.join(READERS)})"
    )
    parser.add_argument(
        "--threads", type=number(1, _THREADS_MOST), default=_THREADS, metavar="N", help="(default: %(default)s)"
    )
    parser.add_argument(
        "--seconds",
        type=number(1, 3600),
        default=_SECONDS,
        metavar="N",
        help="of a run, which goes on until each reader was through (default: %(default)s)",
    )
    parser.add_argument(
        "--rounds",
        type=number(1, 1000),
        default=paired.ROUNDS_MIN,
        metavar="N",
        help="with fewer than the default there is no interval and no verdict (default: %(default)s)",
    )
    arguments.add_seed(parser, "of the order within rounds and of the intervals")
    return parser


def main() -> None:
    """Parses the command line, measures and prints."""
    parsed = _parser().parse_args()
    keys = (ALONE, ELSEWHERE, AGAIN, BESIDE)
    run = functools.partial(measure, parsed.threads, parsed.seconds)
    found = rounds.run(NAME, {slot: keys for slot in slots(parsed.readers)}, parsed.rounds, parsed.seed, run)
    rows = [row(slot, runs, parsed.seed) for slot, runs in found.items()]
    heading = f"{NAME}: {parsed.threads} threads, {parsed.rounds} rounds, runs of {parsed.seconds} s"
    table.print_grids(heading, [grid(rows)], CAPTION, sys.stdout)


if __name__ == "__main__":
    program.run(NAME, main)
