# SPDX-License-Identifier: MIT
"""Compiles the allocator and its tests without Bazel, once a flavour, and again with one file changed.

A mutant costs the compiler's time for one file, a link and the tests up to the first that fails.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import math
import os
import re
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Iterator, Sequence

# Run as a plain script, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.mutate.build_files import BuildFiles, Test  # noqa: E402
from tools.source import generated  # noqa: E402

_COMMON = (
    "-O1",
    "-g0",
    "-w",
    "-fno-stack-protector",
    "-fcf-protection=none",
    "-pthread",
    "-D_GNU_SOURCE",
    "-DHAK_TEST_WORKSHOP",
)
_MOST_RESIDENT_BYTES = 6 << 30  # a mutant that allocates without end
_PROCESSOR_SECONDS_TO_END = 5  # between the signal that can be caught and the one that cannot


@dataclasses.dataclass(frozen=True)
class Flavour:
    name: str
    guard: str = "off"
    debug: bool = False
    flags: tuple[str, ...] = ()

    @property
    def definitions(self) -> tuple[str, ...]:
        number = ("off", "exact", "full").index(self.guard)
        return (f"-DHAK_GUARD={number}", f"-DHAK_DEBUG={int(self.debug)}", *self.flags)


_TSAN = ("-fsanitize=thread", "-fno-omit-frame-pointer", "-g1")
FLAVOURS = {
    flavour.name: flavour
    for flavour in (
        Flavour("off"),
        Flavour("exact", "exact"),
        Flavour("full", "full"),
        Flavour("debug", "off", True),
        Flavour("exact_debug", "exact", True),
        Flavour("full_debug", "full", True),
        Flavour("tsan", "off", True, _TSAN),
    )
}


class NotCompiled(Exception):
    """The compiler or the linker refused; the text is what it said."""


@dataclasses.dataclass(frozen=True)
class Run:
    status: str  # passed, failed, timeout
    seconds: float
    processor_seconds: float
    said: str


def _call(arguments: Sequence[str], cwd: Path, text: str | None = None) -> None:
    done = subprocess.run(
        arguments,
        cwd=cwd,
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode != 0:
        raise NotCompiled(done.stdout[-3000:])


def _resident_bytes(group: int) -> int:
    total = 0
    for one in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            fields = one.read_text().rsplit(")", 1)[1].split()
            if int(fields[2]) == group:
                total += int(fields[21]) * resource.getpagesize()
    return total


def _has_ended(pid: int) -> bool:
    """Waits a second for that; who has ended is still to be waited for."""
    descriptor = os.pidfd_open(pid)
    try:
        return bool(select.select([descriptor], [], [], 1.0)[0])
    finally:
        os.close(descriptor)


def run_limited(
    arguments: Sequence[str], cwd: Path, environment: dict[str, str], seconds: float, processor_seconds: float
) -> Run:
    """Runs a program that may never end, or allocate without end, with all that it starts. Of `processor_seconds` each process
    has its own."""
    most = math.ceil(processor_seconds)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (most, most + _PROCESSOR_SECONDS_TO_END))

    with tempfile.TemporaryFile() as said:
        began = time.monotonic()
        process = subprocess.Popen(
            arguments,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
            preexec_fn=limit,
        )
        status = ""
        while status == "":
            if _has_ended(process.pid):
                status = "ended"
            elif time.monotonic() - began > seconds:
                status = "timeout"
            elif _resident_bytes(process.pid) > _MOST_RESIDENT_BYTES:
                status = "failed"
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        _, ending, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(ending)
        if status == "ended":
            status = {0: "passed", -signal.SIGXCPU: "timeout"}.get(process.returncode, "failed")
        took = time.monotonic() - began
        size = said.seek(0, os.SEEK_END)
        said.seek(max(0, size - 20000))
        return Run(status, took, usage.ru_utime + usage.ru_stime, said.read().decode("utf-8", "replace"))


@dataclasses.dataclass(frozen=True)
class Program:
    """Tests that are linked alike share a program."""

    name: str
    tests: tuple[Test, ...]
    sources: tuple[str, ...]
    link_options: tuple[str, ...]


class Workshop:
    """`root` has the sources, `folder` gets all that is made of them."""

    def __init__(self, root: Path, folder: Path, jobs: int = 2):
        self.root = root
        self.folder = folder
        self.jobs = jobs
        folder.mkdir(parents=True, exist_ok=True)
        if generated.main([str(folder / "generated")]) != 0:
            raise NotCompiled("the size classes were not generated")
        self.sources = sorted(
            str(path.relative_to(root))
            for path in (root / "hakmem").rglob("*.c")
            if "/os/fake/" not in str(path) and "/preload/" not in str(path)
        )
        self.tests = BuildFiles(root).tests()
        self._programs: dict[str, list[Program]] = {}

    def flags(self, flavour: Flavour) -> list[str]:
        return [
            *("-include", f"{self.folder}/generated/build.h", "-include", "tests/mutate/weaker.h"),
            *("-I.", "-Ihakmem/include", f"-I{self.folder}/generated"),
            *flavour.definitions,
        ]

    def compile(self, flavour: Flavour, path: str, text: str, output: Path) -> None:
        """The text as if it stood in `path`: what is equal gives equal objects."""
        output.parent.mkdir(parents=True, exist_ok=True)
        is_cxx = path.endswith(".cc")
        flags = [*_COMMON, "-std=c++17" if is_cxx else "-std=gnu11", *self.flags(flavour)]
        marked = f'# 1 "{path}"\n{text}'
        language = "c++" if is_cxx else "c"
        _call(["gcc", *flags, "-x", language, "-c", "-", "-o", str(output)], self.root, marked)

    def object_of(self, flavour: Flavour, path: str) -> Path:
        return self.folder / flavour.name / (path + ".o")

    def _compile_original(self, flavour: Flavour, path: str) -> None:
        output = self.object_of(flavour, path)
        if not output.exists():
            part = output.with_suffix(".part")
            self.compile(flavour, path, (self.root / path).read_text(encoding="utf-8"), part)
            part.rename(output)

    def programs(self, flavour: Flavour) -> list[Program]:
        if flavour.name not in self._programs:
            alike: dict[tuple[str, ...], list[Test]] = {}
            for test in self.tests:
                if test.guard == flavour.guard:
                    own = test.sources if self._wraps(test) else ()
                    # What is linked in changes the allocator, or when it is called, for all tests of the program.
                    shared = tuple(one for one in test.sources if one.endswith(("fake/fake.c", "harness/reentry.c")))
                    alike.setdefault((*own, *shared), []).append(test)
            self._programs[flavour.name] = [
                Program(
                    hashlib.sha256(repr(key).encode()).hexdigest()[:12],
                    tuple(tests),
                    # A program here also has tests of several threads.
                    tuple(
                        dict.fromkeys(
                            source for test in tests for source in test.sources if not source.endswith("/one_thread.c")
                        )
                    ),
                    tuple(dict.fromkeys(option for test in tests for option in test.link_options)),
                )
                for key, tests in alike.items()
            ]
        return self._programs[flavour.name]

    @staticmethod
    def _wraps(test: Test) -> bool:
        """Whether the test itself puts functions in the place of others, and not only the fake."""
        is_faked = any("os/fake/" in one for one in test.sources)
        return any(
            "--wrap" in one and not (is_faked and one.startswith("-Wl,--wrap=hak_os_")) for one in test.link_options
        )

    def prepare(self, flavour: Flavour, labels: Sequence[str]) -> None:
        """Compiles all that the tests are linked of."""
        wanted = [program for program in self.programs(flavour) if any(test.label in labels for test in program.tests)]
        paths = dict.fromkeys([*self.sources, *(source for program in wanted for source in program.sources)])
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            list(pool.map(lambda path: self._compile_original(flavour, path), paths))

    def link(self, flavour: Flavour, program: Program, output: Path, instead: dict[str, Path] | None = None) -> None:
        """With the objects of `instead` in the place of those of the same paths."""
        objects = [
            str((instead or {}).get(path, self.object_of(flavour, path))) for path in [*self.sources, *program.sources]
        ]
        command = ["g++", "-fuse-ld=lld", "-pthread", *flavour.flags, "-o", str(output), *program.link_options]
        _call([*command, *objects, "-lgtest", "-ldl"], self.root)

    def cases_of(self, test: Test) -> str:
        """A filter for the cases of the test's own file: other tests may be in the same program."""
        cases = []
        for source in test.sources:
            if "/test_" in source:
                text = (self.root / source).read_text(encoding="utf-8")
                cases += re.findall(r"^HAK_TEST(?:_ISOLATED)?\((\w+),\s*(\w+)", text, re.MULTILINE)
                if not cases:
                    raise NotCompiled(f"{source} has no case")
        return ":".join(f"{suite}.{name}" for suite, name in cases)

    def run(self, test: Test, program: Path, scratch: Path, seconds: float, processor_seconds: float) -> Run:
        arguments = [str(program), "--gtest_brief=1", f"--gtest_filter={self.cases_of(test)}"]
        for one in test.arguments:
            # The only kind of argument: cases to leave out, under this guard.
            arguments[2] += one.removeprefix("--gtest_filter=")
        for one in test.files:
            (scratch / one).parent.mkdir(parents=True, exist_ok=True)
            if not (scratch / one).exists():
                (scratch / one).symlink_to(self.root / one)
        environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "TEST_TMPDIR": str(scratch),
            "TSAN_OPTIONS": "atexit_sleep_ms=0:detect_deadlocks=0:die_after_fork=0",
            **dict(test.environment),
        }
        return run_limited(arguments, scratch, environment, seconds, processor_seconds)


@contextlib.contextmanager
def scratch_folder(folder: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=folder, prefix="scratch-", ignore_cleanup_errors=True) as scratch:
        yield Path(scratch)
