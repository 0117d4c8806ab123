# SPDX-License-Identifier: MIT
"""Finders of leaks, each run on shapes.cc: which paths of calls it names, and what that takes.

Each tool is asked for its paths in the form that it has for programs, function names and all; a path is the names from the
innermost function outwards. What a tool needs beyond Debian's packages of tools/setup is nothing.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.profile.shape_list import Shape
from tools.cli import saved, views

Paths = list[list[str]]

_SECONDS = 1800

VALGRIND_FRAME = r"==\d+==    (?:at|by) 0x[0-9A-F]+: (.*) \("
SANITIZER_FRAME = r"    #\d+ 0x[0-9a-f]+ (?:in (.*) [^ ]+| \(.*\))$"


@dataclass(frozen=True)
class Programs:
    """What is run: the program as built, the same with LeakSanitizer, its arguments, and hakmem's library."""

    plain: Path
    sanitized: Path
    arguments: tuple[str, ...]
    library: Path


@dataclass(frozen=True)
class Run:
    """One run of the program under a tool."""

    paths: Paths
    cpu_seconds: float
    """Of the program and what the tool ran beside it."""
    peak_bytes: int
    """Of the program's process, as the program says at its end."""


def _execute(line: Sequence[str | Path], folder: Path, log: str = "log", **variables: str) -> tuple[float, int, str]:
    """Runs it without input to its end: processor time, peak memory, and what it said."""
    output = folder / log
    with output.open("wb") as file:
        process = subprocess.Popen(
            [str(word) for word in line],
            env={"PATH": "/usr/bin:/bin", "HOME": str(folder), **variables},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = 0
    said = output.read_text(encoding="utf-8", errors="replace")
    peak = re.search(r"^peak (\d+) kB$", said, re.MULTILINE)
    if peak is None:
        raise ChildProcessError(f"{' '.join(map(str, line))} did not come to its end:\n{said}")
    return used.ru_utime + used.ru_stime, int(peak[1]) << 10, said


def _answer(*line: str | Path) -> str:
    done = subprocess.run(
        [str(word) for word in line], stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=True
    )
    return done.stdout.decode("utf-8", "replace")


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if not found:
        raise FileNotFoundError(f"no {pattern} was written to {folder}: {(folder / 'log').read_text(errors='replace')}")
    return found[-1]


def folded(text: str) -> Paths:
    """ "main;parse;xmalloc 4096" a line."""
    lines = (line.rpartition(" ")[0] for line in text.splitlines() if line and not line.endswith(" 0"))
    return [line.split(";")[::-1] for line in lines]


def _hakmem(rate: str, programs: Programs, folder: Path) -> Run:
    used = _execute(
        [programs.plain, *programs.arguments],
        folder,
        LD_PRELOAD=str(programs.library),
        HAKMEM_PROFILE=str(folder / "out.pb.gz"),
        **({"HAKMEM_PROFILE_RATE": rate} if rate else {}),
    )
    weights = views.weighted(saved.read(_only(folder, "out.pb.gz")), views.DEFAULT_VALUE)
    return Run([[frame.name for frame in path] for _, path in weights], *used[:2])


def _heaptrack(programs: Programs, folder: Path) -> Run:
    used = _execute(["heaptrack", "-o", folder / "out", programs.plain, *programs.arguments], folder)
    _answer(
        "heaptrack_print",
        *("--flamegraph-cost-type", "leaked", "-F", folder / "folded", "-f", _only(folder, "out.*")),
    )
    return Run(folded((folder / "folded").read_text(encoding="utf-8", errors="replace")), *used[:2])


def _jemalloc(programs: Programs, folder: Path) -> Run:
    options = f"prof:true,prof_final:true,lg_prof_sample:0,prof_prefix:{folder}/out"
    used = _execute([programs.plain, *programs.arguments], folder, LD_PRELOAD="libjemalloc.so.2", MALLOC_CONF=options)
    return Run(folded(_answer("jeprof", "--collapsed", programs.plain, _only(folder, "out.*.heap"))), *used[:2])


def _gperftools(programs: Programs, folder: Path) -> Run:
    used = _execute(
        [programs.plain, *programs.arguments],
        folder,
        LD_PRELOAD="libtcmalloc.so.4",
        HEAPPROFILE=str(folder / "out"),
        HEAP_PROFILE_ALLOCATION_INTERVAL="0",
    )
    paths: Paths = []
    for line in _answer("google-pprof", "--stacks", programs.plain, _only(folder, "out.*.heap")).splitlines():
        frame = re.match(r"(\d*)\s+\([0-9a-f]+\) .*?:\d+:(.*)", line)
        if frame and frame[1]:
            paths.append([])
        if frame and paths:
            paths[-1].append(frame[2])
    return Run(paths, *used[:2])


def reported(text: str, frame: str) -> Paths:
    """Of a report with a line a frame, and other lines between paths."""
    paths: Paths = [[]]
    for line in text.splitlines():
        found = re.match(frame, line)
        if found:
            paths[-1].append(found[1] or "?")
        elif paths[-1]:
            paths.append([])
    return paths


def _valgrind(programs: Programs, folder: Path) -> Run:
    options = ("--leak-check=full", "--show-leak-kinds=all", "--num-callers=40", "--error-limit=no")
    cpu, peak, text = _execute(["valgrind", *options, programs.plain, *programs.arguments], folder)
    # Its name for what the C library and the linker put around main.
    text = text.replace("(below main)", "_start")
    return Run(reported(text, VALGRIND_FRAME), cpu, peak)


def _sanitizer(programs: Programs, folder: Path) -> Run:
    line: list[str | Path] = [programs.sanitized, *programs.arguments]
    cpu, peak, text = _execute(line, folder, LSAN_OPTIONS="exitcode=0:fast_unwind_on_malloc=0:malloc_context_size=40")
    return Run(reported(text, SANITIZER_FRAME), cpu, peak)


def plain(programs: Programs, folder: Path) -> Run:
    """glibc alone."""
    used = _execute([programs.plain, *programs.arguments], folder)
    return Run([], *used[:2])


TOOLS: dict[str, Callable[[Programs, Path], Run]] = {
    "hakmem, default rate": lambda programs, folder: _hakmem("", programs, folder),
    "hakmem, every block": lambda programs, folder: _hakmem("1", programs, folder),
    "heaptrack": _heaptrack,
    "jemalloc, jeprof": _jemalloc,
    "gperftools, google-pprof": _gperftools,
    "valgrind": _valgrind,
    "LeakSanitizer": _sanitizer,
}


def _is_function(name: str, pattern: str) -> bool:
    """Whether it is that function, whatever stands around its name."""
    return re.search(rf"(^|\W){re.escape(pattern)}(\W|$)", name) is not None


def is_named(shape: Shape, paths: Paths) -> bool:
    """Whether a path has the function that is to blame, and further out the one that leads to it."""
    for path in paths:
        for place, name in enumerate(path):
            # "templated<long>" reads "void shapes::templated<long>()"; jeprof leaves out what stands in brackets.
            if _is_function(name, shape.function) or _is_function(name, shape.function.partition("<")[0]):
                callers = path[place + 1 :]
                if any(_is_function(caller, shape.caller) for caller in callers):
                    return True
    return False
