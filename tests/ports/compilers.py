#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Builds the library by each compiler that is installed, with one set of options after the other; the stress test runs on it.

    tests/ports/compilers.py [--compiler=gcc-15 ..] [--options='-O2 -flto' ..]

A warning is an error. Each build prints one line, and takes half a minute of a quiet processor. By hand, and not in the gate.

Exit status 0: all passed; 1: one did not, and standard error has what the compiler, the linker or the test said; 2: wrong
usage.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]

# As .bazelrc and tools/bazel/copts.bzl.
_WARNINGS = "-Wall -Wextra -Werror -Wundef".split()
_STRICTER = ["-Wconversion"]  # of the library alone
_COMPILE = (
    "-D_GNU_SOURCE -fPIC -fvisibility=hidden -foptimize-sibling-calls -fexceptions -ffunction-sections -fdata-sections"
).split()
_PRELOAD = ["-fno-builtin", "-fno-plt"]
_LINK = (
    "-shared -static-libgcc -Wl,-soname,libhakmem.so -Wl,--version-script=hakmem/preload/exports.lds "
    "-Wl,-z,defs,-z,initfirst,-z,nodelete,-z,now,--gc-sections"
).split()

_OPTIONS = ["-O2", "-O0", "-Os", "-O3 -march=native", "-O2 -flto", "-O2 -std=gnu2x"]
_NAME = re.compile(r"(gcc|clang)(-\d+)?")
# Programs only, or with the fake in place of the system.
_LEFT_OUT = ("hakmem/os/fake/", "hakmem/preload/begin_linked.c")
_HARNESS = ("census.c", "pattern.c", "process.c", "threads.c", "child.cc", "harness.cc")
_SECONDS = 3600


class Failed(Exception):
    """What was said."""


def run(command: list[str], **variables: str) -> None:
    done = subprocess.run(
        command,
        cwd=_ROOT,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stdout}")


def installed() -> list[str]:
    """gcc-N and clang-N on the PATH; without any, gcc and clang."""
    folders = os.environ.get("PATH", "/usr/bin").split(":")
    found = {path.name for folder in folders for path in Path(folder).glob("*") if _NAME.fullmatch(path.name)}
    numbered = {name for name in found if "-" in name}
    return sorted(numbered or found, key=lambda name: (name.split("-")[0], int(name.partition("-")[2] or 0)))


def options_for(compiler: str, options: str) -> tuple[list[str], list[str]]:
    """Of the compiler and of the linker. Objects that clang is to optimise in the link are read by LLVM's linker only."""
    chosen = options.split()
    if not compiler.startswith("clang") or "-flto" not in chosen:
        return chosen, chosen
    chosen = ["-flto=thin" if option == "-flto" else option for option in chosen]
    return chosen, [*chosen, "-fuse-ld=lld"]


def build_and_test(compiler: str, options: str, generated: Path, folder: Path) -> None:
    """Raises Failed."""
    chosen, linking = options_for(compiler, options)
    standard = [] if "-std=" in options else ["-std=gnu11"]
    includes = ["-I.", "-Ihakmem/include", f"-I{generated}", "-include", str(generated / "build.h")]
    objects: dict[str, str] = {}
    commands: list[list[str]] = []
    for path in sorted((_ROOT / "hakmem").rglob("*.c")):
        name = str(path.relative_to(_ROOT))
        if name.startswith(_LEFT_OUT):
            continue
        objects[name] = str(folder / (name.replace("/", "_") + ".o"))
        preload = _PRELOAD if name.startswith("hakmem/preload/") else []
        command = [compiler, *chosen, *standard, *_WARNINGS, *_STRICTER, *_COMPILE, *preload, *includes]
        commands.append([*command, "-c", name, "-o", objects[name]])
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(run, commands))
    library = str(folder / "libhakmem.so")
    run([compiler, *linking, *_WARNINGS, *_LINK, "-o", library, *objects.values()])
    run(["/bin/true"], LD_PRELOAD=library)

    # The harness is C++, and all compilers of one distribution share its GoogleTest.
    cxx = compiler.replace("gcc", "g++").replace("clang", "clang++")
    stress = str(folder / "stress.o")
    run(
        [compiler, *chosen, *standard, *_WARNINGS, "-fPIC", *includes, "-c", "tests/stress/test_stress.c", "-o", stress]
    )
    sources = [f"tests/harness/{name}" for name in _HARNESS]
    program = str(folder / "stress")
    parts = []
    for source in sources:
        made = str(folder / (Path(source).name + ".o"))
        one = [compiler, *standard] if source.endswith(".c") else [cxx, "-std=c++17"]
        run([*one, "-O1", *includes, "-c", source, "-o", made])
        parts.append(made)
    # As Bazel's: the C library's malloc serves GoogleTest, so that the census counts the test's blocks only.
    library_objects = [path for name, path in objects.items() if not name.startswith("hakmem/preload/")]
    # GoogleTest is of the distribution's own compiler, and may need what an older one's copy of the C++ runtime lacks.
    libraries = ["-lgtest", "-l:libstdc++.so.6", "-lpthread"]
    run([cxx, *linking, stress, *parts, *library_objects, *libraries, "-o", program])
    run([program, "--gtest_brief=1"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", action="append", help="gcc-N or clang-N; without, all that are installed")
    parser.add_argument("--options", action="append", help=f"of the compiler; without: {', '.join(_OPTIONS)}")
    parsed = parser.parse_args()
    compilers = parsed.compiler or installed()
    for compiler in compilers:
        if not _NAME.fullmatch(compiler):
            parser.error(f"no such compiler: {compiler!r}; gcc, clang, gcc-N and clang-N are allowed")
    if not compilers:
        parser.error("neither gcc nor clang is installed")

    wrong = False
    with tempfile.TemporaryDirectory() as folder:
        generated = Path(folder, "generated")
        run(["/usr/bin/python3", "-B", "tools/source/generated.py", str(generated)])
        for compiler in compilers:
            for options in parsed.options or _OPTIONS:
                began = time.monotonic()
                place = Path(folder, "build")
                place.mkdir(exist_ok=True)
                try:
                    build_and_test(compiler, options, generated, place)
                    result = "no warning, the stress test passed"
                except (Failed, OSError, subprocess.TimeoutExpired) as reason:
                    print(reason, file=sys.stderr)
                    result = "FAILED"
                    wrong = True
                print(f"{compiler} {options}: {result} ({time.monotonic() - began:.0f} s)", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
