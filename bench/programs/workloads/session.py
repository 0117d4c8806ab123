# SPDX-License-Identifier: MIT
"""One run of one workload under one allocator: starts its commands in a fresh folder and adds up what they take."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.programs.workloads import accounts, witness
from bench.programs.workloads.allocator import Tools, public_folder
from bench.programs.workloads.errors import CheckError, expect
from bench.programs.workloads.memory import INTERVAL_SECONDS, Sampler
from bench.programs.workloads.process import Process, Usage
from tools.measure.contender import Contender
from tools.measure.process import ending

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"

# A program that takes longer hangs: the longest takes half a minute on an idle machine.
LIMIT_SECONDS = 1200.0
_READY_SECONDS = 600.0
_READY_INTERVAL_SECONDS = 0.02
_STOP_SECONDS = 600.0

# Below the kernel's ports for outgoing connections, one of which could take a port between our look and the server.
_PORTS = range(20_000, 32_000)

# How much of a program's error output a message shows.
_SHOWN_BYTES = 2_000

# How hakmem begins each line that it prints: of misuse, of memory that is missing, of options it does not know.
_REPORT = re.compile(rb"^hakmem:.*", re.MULTILINE)


@dataclass(frozen=True)
class Finished:
    stdout: bytes
    stderr: bytes
    usage: Usage


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    for port in random.SystemRandom().sample(_PORTS, 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise CheckError(f"none of 100 ports from {_PORTS.start} to {_PORTS.stop} was free")


def reject_reports(program: str, text: bytes) -> None:
    """A program must not have made the allocator speak."""
    found = _REPORT.search(text)
    said = found.group().decode(errors="replace") if found else ""
    expect(found is None, f"{program} made the allocator say: {said}")


def _shown(text: bytes) -> str:
    return text[-_SHOWN_BYTES:].decode(errors="replace").strip() or "it printed no message"


class Session:
    """`folder` is the commands' working folder, `inputs` what the workload prepared (to be read only)."""

    def __init__(
        self,
        allocator: Contender,
        tools: Tools,
        inputs: Path,
        scratch: Path,
        *,
        watched: bool,
        limit_seconds: float = LIMIT_SECONDS,
        padding: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        """`scratch` is fresh. `watched`: the witness runs with every program and is asked in the end; a run that is
        timed does without. No command may take longer than `limit_seconds`. `padding` goes to the environment of all
        that run under the allocator; it means nothing to them. `prefix` stands before each command that is measured."""
        self.allocator = allocator
        self.inputs = inputs
        self.folder = public_folder(scratch / "work")
        self.usage = Usage()
        self.peak_sum_bytes = 0
        self.resident: list[tuple[float, int]] = []
        """Of all servers so far: each look at their memory, by time.monotonic(), in bytes."""
        self._tools = tools
        self._logs = public_folder(scratch / "logs")
        self._commands = 0
        self._record = scratch / "witness"
        self._record.touch()
        self._record.chmod(0o666)  # of every user that a server changes to
        self._watched = watched
        self._answers_jemalloc_calls = False
        self._look_seconds = INTERVAL_SECONDS
        self._limit_seconds = limit_seconds
        self._padding = dict(padding or {})
        self._prefix = tuple(prefix)

    def run(
        self,
        *command: str,
        environment: Mapping[str, str] | None = None,
        stdin: Path | None = None,
        status: int = 0,
        user: str | None = None,
        measured: bool = True,
    ) -> Finished:
        """Runs a command under the allocator to its end, which has to be `status`.

        `user` is whom root gives the command to; anybody else runs it himself. `measured` commands add to `usage`.
        """
        prefix = self._prefix if measured else ()
        finished = self._finish(command, True, environment, stdin, status, user, prefix)
        if measured:
            self.usage = self.usage.then(finished.usage)
        return finished

    def tool(self, *command: str, stdin: Path | None = None) -> Finished:
        """Runs a command without the allocator: a client, or what checks an outcome."""
        return self._finish(command, False, None, stdin, 0, None)

    @contextmanager
    def serve(
        self,
        *command: str,
        ready: Callable[[], bool],
        stop: signal.Signals | None,
        user: str | None = None,
    ) -> Iterator[Process]:
        """A server under the allocator, from `ready` on. It is stopped by the signal `stop`; where that is None the
        body has told it to end. It has to end well; its whole life is measured."""
        log = self._logs / str(self._commands)
        process = self._start(command, True, None, None, user, self._prefix)
        try:
            self._await(command[0], process, ready, log)
            with Sampler(process.pid, self._look_seconds) as sampler:
                yield process
            self.resident += sampler.line
            self.peak_sum_bytes = max(self.peak_sum_bytes, sampler.peak_bytes)
            if stop is not None:
                process.signal(stop)
            self._end(command[0], process, log, 0, _STOP_SECONDS)
            self.usage = self.usage.then(process.usage)
        finally:
            process.kill()

    def give_folder(self, user: str) -> None:
        """Gives the working folder to `user`, who writes there, where root runs this; else it is his already."""
        account = accounts.account(user)
        if account is not None:
            os.chown(self.folder, account.pw_uid, account.pw_gid)

    def check_witness(self, programs: frozenset[str]) -> None:
        """Every program ran under the allocator; see witness.check."""
        if not self._watched:
            raise ValueError("nobody watched this run")
        witness.check(self._record.read_text(), self.allocator.file(), self.allocator.is_glibc, programs)

    def answer_jemalloc_calls(self) -> None:
        """From now on mallocx and its kind reach the allocator too, in programs that call them."""
        self._answers_jemalloc_calls = True

    def look_every(self, seconds: float) -> None:
        """From now on servers' memory is looked at so often."""
        self._look_seconds = seconds

    def _environment(self, more: Mapping[str, str] | None) -> dict[str, str]:
        """All that a program gets: nothing of the caller's environment changes an outcome."""
        environment = {
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "PATH": PATH,
            "TZ": "UTC",
        }
        return environment | dict(more or {})

    def _preload(self) -> str:
        libraries = [self._tools.witness] if self._watched else []
        libraries += [self._tools.jemalloc_calls] if self._answers_jemalloc_calls else []
        return ":".join(map(str, [*libraries, self.allocator.library]))

    def _start(
        self,
        command: tuple[str, ...],
        preloaded: bool,
        environment: Mapping[str, str] | None,
        stdin: Path | None,
        user: str | None,
        prefix: Sequence[str] = (),
    ) -> Process:
        log = self._logs / str(self._commands)
        self._commands += 1
        account = None if user is None else accounts.account(user)
        whole = self._environment(environment)
        if preloaded:
            whole |= self._padding | ({"PROGRAMS_WITNESS": str(self._record)} if self._watched else {})
        with (
            open(stdin or os.devnull, "rb") as source,
            open(f"{log}.stdout", "wb") as stdout,
            open(f"{log}.stderr", "wb") as stderr,
        ):
            return Process(
                command,
                launcher=self._tools.launcher,
                preload=self._preload() if preloaded else "",
                prefix=prefix,
                environment=whole,
                folder=self.folder,
                stdin=source.fileno(),
                stdout=stdout.fileno(),
                stderr=stderr.fileno(),
                user=account.pw_uid if account else None,
                group=account.pw_gid if account else None,
            )

    def _finish(
        self,
        command: tuple[str, ...],
        preloaded: bool,
        environment: Mapping[str, str] | None,
        stdin: Path | None,
        status: int,
        user: str | None,
        prefix: Sequence[str] = (),
    ) -> Finished:
        log = self._logs / str(self._commands)
        process = self._start(command, preloaded, environment, stdin, user, prefix)
        try:
            return self._end(command[0], process, log, status, self._limit_seconds)
        finally:
            process.kill()

    def _end(self, program: str, process: Process, log: Path, status: int, limit_seconds: float) -> Finished:
        """Waits for the end, which has to be `status`, and reads what the program wrote."""
        ended = process.wait(limit_seconds)
        stdout, stderr = (Path(f"{log}.{stream}").read_bytes() for stream in ("stdout", "stderr"))
        reject_reports(program, stderr)
        expect(ended == status, f"{program} {ending(ended)}, not with {status}: {_shown(stderr + stdout)}")
        return Finished(stdout, stderr, process.usage)

    def _await(self, program: str, process: Process, ready: Callable[[], bool], log: Path) -> None:
        """Until the server answers. One that ends before, or takes too long, is an error."""
        deadline = time.monotonic() + _READY_SECONDS
        while not ready():
            if not process.running():
                self._end(program, process, log, 0, _STOP_SECONDS)
                raise CheckError(f"{program} ended before it answered")
            expect(time.monotonic() < deadline, f"{program} did not answer within {_READY_SECONDS} s")
            time.sleep(_READY_INTERVAL_SECONDS)


def answers_on(port: int) -> Callable[[], bool]:
    """Whether somebody accepts connections on a port of loopback."""

    def look() -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1.0):
                return True
        except OSError:
            return False

    return look
