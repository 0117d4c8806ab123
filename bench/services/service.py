# SPDX-License-Identifier: MIT
"""What a service is: a workload whose memory is looked at all the time, also when it has done its work and waits.

A service notes three moments by time.monotonic(): when it begins to work, when it has nothing more to do, and when that
idle time is over. What it holds between the first and the last is its line; the last look of it is what it holds idle.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.programs.workloads.errors import CheckError, expect
from bench.programs.workloads.process import Process
from bench.programs.workloads.session import Session
from bench.programs.workloads.workload import Memory, Outcome, Workload

LOOK_SECONDS = 0.2
"""Between two looks at a service's memory: each is a walk of the page tables, which the service pays a part of."""

QUANTILES = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
"""Of the latencies: name -> share of the requests that took no longer."""

# A cell that takes so many times as long as it was given is ended.
_PATIENCE = 6
_POLL_SECONDS = 0.05

# The last look is what a service holds idle: it must not be older. Looks take time themselves.
_LAST_LOOK_SECONDS = 10 * LOOK_SECONDS


@dataclass(frozen=True)
class Times:
    """What a service is given, in seconds."""

    work: float
    idle: float

    @property
    def limit(self) -> float:
        """After this it hangs, however slow the machine is."""
        return _PATIENCE * (self.work + self.idle) + 60


@dataclass
class Record:
    """What a service notes while it runs."""

    begin: float | None = None
    idle: float | None = None
    end: float | None = None
    latencies: array[int] = field(default_factory=lambda: array("I"))
    """Nanoseconds of each request."""
    requests: int | None = None
    """Where there are no latencies of each."""
    quantiles: dict[str, float] | None = None
    """Seconds, where the service's own client says them."""

    def took(self, seconds: float) -> None:
        """Adds a request."""
        self.latencies.append(min(round(seconds * 1e9), 2**32 - 1))

    def rest(self, seconds: float) -> None:
        """The idle time, of a service that its client leaves alone."""
        self.idle = time.monotonic()
        time.sleep(seconds)
        self.end = time.monotonic()


@dataclass
class Lived(Outcome):
    """A service's outcome."""

    line: list[tuple[float, int]] = field(default_factory=list)
    """Seconds since it began to work, resident bytes; up to the end of the idle time."""
    idle_from: float | None = None
    """Seconds since it began to work; None: it does not wait."""
    quantiles: dict[str, float] | None = None
    """By the names of QUANTILES, in seconds; None: the client does not say."""
    requests: int = 1


def quantiles(nanoseconds: Sequence[int]) -> dict[str, float] | None:
    """The least values that are at least as large as the shares of QUANTILES, in seconds; None: there are no values."""
    ordered = sorted(nanoseconds)
    if not ordered:
        return None
    return {name: ordered[min(int(share * len(ordered)), len(ordered) - 1)] / 1e9 for name, share in QUANTILES.items()}


def line_of(looks: Iterable[tuple[float, int]], begin: float, end: float) -> list[tuple[float, int]]:
    """The looks from `begin` to `end` that found a process, by the time since `begin`."""
    return [(when - begin, size) for when, size in looks if begin <= when <= end and size]


def mean_bytes(line: Sequence[tuple[float, int]]) -> float:
    """The mean over time: each look counts for as long as it is until the next one."""
    if len(line) < 2:
        return float(line[0][1])
    spans = [(later - when, size) for (when, size), (later, _) in zip(line, line[1:])]
    return sum(span * size for span, size in spans) / sum(span for span, _ in spans)


class Service(Workload):
    """A service that is bounded in time. Instances hold nothing of a run but what it is given."""

    memory = Memory.SUM
    waits = True
    """Whether it has an idle time at its end."""

    def __init__(self, times: Times) -> None:
        self.times = times

    @abstractmethod
    def live(self, session: Session, record: Record) -> None:
        """Starts the service, works, waits, ends it."""

    def run(self, session: Session) -> Lived:
        record = Record()
        session.look_every(LOOK_SECONDS)
        self.live(session, record)
        expect(record.begin is not None, f"{self.name} never began to work")
        expect(not self.waits or record.end is not None, f"{self.name} did not come to the end of its idle time")
        assert record.begin is not None
        line = line_of(session.resident, record.begin, record.end or time.monotonic())
        expect(bool(line), f"{self.name} was over before its memory was looked at")
        last = record.begin + line[-1][0]
        expect(
            record.end is None or record.end - last < _LAST_LOOK_SECONDS,
            f"the last look at {self.name}'s memory was {(record.end or last) - last:.1f} s before the end of its idle time",
        )
        requests = record.requests or len(record.latencies)
        expect(requests > 0, f"{self.name} came to no request in {self.times.work:.0f} s")
        return Lived(
            outputs={"ended": b"well"},
            line=line,
            idle_from=None if record.idle is None else record.idle - record.begin,
            quantiles=record.quantiles or quantiles(record.latencies),
            requests=requests,
        )


def wait_for(process: Process, seconds: float) -> None:
    """Until a service that ends by itself has ended."""
    deadline = time.monotonic() + seconds
    while process.running():
        expect(time.monotonic() < deadline, f"it had not ended after {seconds:.0f} s")
        time.sleep(_POLL_SECONDS)


def read_marks(text: str) -> dict[str, float]:
    """Moments by their word, in seconds of time.monotonic()."""
    found = {}
    for line in text.splitlines():
        word, _, nanoseconds = line.partition(" ")
        if not nanoseconds.isdigit():
            raise CheckError(f"this is no mark: {line!r}")
        found[word] = int(nanoseconds) / 1e9
    return found


class Alone(Service):
    """A service without a client, which writes `marks` and `latencies` as shapes.c does, and ends by itself."""

    @abstractmethod
    def command(self, session: Session) -> list[str]:
        """What starts it."""

    def live(self, session: Session, record: Record) -> None:
        marks = session.folder / "marks"
        with session.serve(*self.command(session), ready=marks.exists, stop=None) as process:
            wait_for(process, self.times.limit)
        said = read_marks(marks.read_text())
        record.begin, record.idle, record.end = (said.get(word) for word in ("begin", "idle", "end"))
        record.latencies.frombytes((session.folder / "latencies").read_bytes())


def built(name: str) -> Path:
    """A program that Bazel lays beside this file."""
    return Path(__file__).parent / name
