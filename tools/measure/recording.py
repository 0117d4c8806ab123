# SPDX-License-Identifier: MIT
"""Starts programs with the recorder preloaded, and asks the replayer what a trace holds."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.measure import trace_file
from tools.measure.program import BenchError

# Builds and installations lay the recorder and the replayer at the same place below the root, as this module.
_FOLDER = Path(__file__).absolute().parents[2] / "bench/trace"

FRAMES_MAX = 32
"""As bench/trace/format.h has it."""

REFUSED = 2
"""The replayer's status for arguments and traces that are wrong."""


class TraceError(BenchError):
    """A trace that is damaged, foreign or incomplete. The message holds the byte."""


@dataclass(frozen=True)
class Settings:
    """What is recorded, and where."""

    output: Path
    """The trace of the first process; others are written beside it, see processes()."""
    limit: int | None = None
    """Events of each process; None: all."""
    children: bool = True
    """Record the processes that the program starts as well."""
    library: Path | None = None
    """The allocator to record over; None: the program's own."""
    frames: int = 0
    """Callers of each call that are recorded, FRAMES_MAX at most."""

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """`base` and what makes the loader record."""
        preload = [str(built("librecorder.so"))]
        if self.library is not None:
            preload.append(str(self.library.absolute()))
        if base.get("LD_PRELOAD"):
            preload.append(base["LD_PRELOAD"])
        made = {**base, "LD_PRELOAD": ":".join(preload), "HAKTRACE_FILE": str(self.output.absolute())}
        made["HAKTRACE_CHILDREN"] = "1" if self.children else "0"
        made["HAKTRACE_FRAMES"] = str(self.frames)
        if self.limit is not None:
            made["HAKTRACE_LIMIT"] = str(self.limit)
        return made


def built(name: str) -> Path:
    """A program or library of bench/trace/BUILD."""
    path = _FOLDER / name
    if not path.exists():
        raise BenchError(f"{path} is missing: start this with `bazel run`, which builds it")
    return path


def processes(output: Path) -> list[Path]:
    """Traces of processes that the program of `output` started: OUTPUT.PID or OUTPUT.PID.N."""
    pattern = re.compile(re.escape(output.name) + r"\.([0-9]+)(\.[0-9]+)?")
    found = [(path, pattern.fullmatch(path.name)) for path in output.absolute().parent.iterdir()]
    return sorted(path for path, name in found if name and path.is_file() and _is_of(path, int(name[1])))


def _is_of(path: Path, pid: int) -> bool:
    """Whether it is a trace of that process. One that somebody keeps as FILE.1, say, is of another."""
    with path.open("rb") as file:
        return trace_file.process_of(file.read(trace_file.PROCESS_BYTES)) == pid


def _is_trace(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(trace_file.MAGIC)) == trace_file.MAGIC


def _earlier(output: Path) -> list[Path]:
    """The traces of an earlier recording to `output`. A file that is no trace is a BenchError."""
    if not output.exists():
        return processes(output)
    if not output.is_file() or (output.stat().st_size > 0 and not _is_trace(output)):
        raise BenchError(f"{output} is there and is no trace: it is not overwritten")
    return [output, *processes(output)]


def clear(output: Path) -> None:
    """Removes the traces of an earlier recording to `output`. A file that is no trace is left, and a BenchError."""
    for path in _earlier(output):
        path.unlink()


@contextmanager
def replaced(output: Path) -> Iterator[None]:
    """What is recorded within takes the place of an earlier recording to `output`, whose traces come back where nothing was
    recorded. A file that is no trace is left, and a BenchError."""
    earlier = _earlier(output)
    if not earlier:
        yield
        return
    folder = Path(tempfile.mkdtemp(prefix=".hakmem-record-", dir=output.absolute().parent))
    aside = {path: folder / path.name for path in earlier}
    is_recorded = False
    try:
        for path, kept in aside.items():
            path.rename(kept)
        yield
        is_recorded = output.exists() and _is_trace(output)
    finally:
        # What cannot be put back stays in the folder.
        for path, kept in aside.items():
            if is_recorded:
                kept.unlink()
            elif kept.exists():
                kept.rename(path)
        folder.rmdir()


@contextmanager
def alone(output: Path) -> Iterator[None]:
    """Within this no other command records to that file: recorders write to whatever has its name, so two would write into one.
    A name for connections is held meanwhile, which is gone with this process, however that ends."""
    name = hashlib.sha256(os.fsencode(output.resolve())).hexdigest()
    with socket.socket(socket.AF_UNIX) as held:
        try:
            held.bind(f"\0hakmem-record-{os.geteuid()}-{name}")
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise BenchError(f"{output} is being recorded by another command: --output takes another file") from None
        yield


def run(command: Sequence[str], settings: Settings, **options: Any) -> int:
    """Records `command` to its end; returns subprocess's status. `options` are subprocess.run's; `env`, the clean one.

    A BenchError where it cannot be started, or was not recorded.
    """
    clear(settings.output)
    environment = settings.environment(options.pop("env", os.environ))
    try:
        status = subprocess.run(command, env=environment, check=False, **options).returncode
    except OSError as error:
        raise BenchError(f"{command[0]} cannot be started: {error.strerror}") from error
    require(settings.output, command[0])
    return status


def require(output: Path, program: str) -> None:
    """A BenchError where the program that was to be recorded to `output` was not."""
    if not output.exists():
        raise BenchError(
            f"{program} was not recorded: it is linked statically, runs with other rights than its caller's, "
            "or clears its environment"
        )


def _as_names(found: Any) -> Any:
    """Texts, and lists of them, as names of files are: the replayer has a surrogate for each byte that is not ASCII."""
    if isinstance(found, str):
        return os.fsdecode(os.fsencode(found))
    if isinstance(found, list) and found and isinstance(found[0], str):
        return [_as_names(one) for one in found]
    return found


def ask(*arguments: str) -> dict[str, Any]:
    """The replayer's answer. A TraceError where it refuses the trace."""
    done = subprocess.run(
        [str(built("replay")), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        check=False,
    )
    message = done.stderr.strip().removeprefix("replay: ")
    if done.returncode == REFUSED:
        raise TraceError(message)
    if done.returncode != 0:
        raise BenchError(f"the replayer failed: {message}")
    answer = json.loads(done.stdout, object_hook=lambda one: {name: _as_names(value) for name, value in one.items()})
    assert isinstance(answer, dict)
    return answer


def info(path: Path) -> dict[str, Any]:
    """What is in the trace `path`, up to its last whole chunk."""
    return ask("--info", str(path))


def paths(path: Path) -> dict[str, Any]:
    """What each path of calls in the trace asked for and held, up to its last whole chunk: the lists of bench/trace/paths.c."""
    return ask("--paths", str(path))
