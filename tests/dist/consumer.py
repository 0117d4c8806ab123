# SPDX-License-Identifier: MIT
"""What the tests of the packages share: unpacking, compiling against a prefix, and asking a program who its malloc is."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

SOURCES = Path("tests/dist")
OWNED = SOURCES / "owned.c"
INDIRECT = SOURCES / "indirect.c"

UNKNOWING = {"c": INDIRECT, "c++": SOURCES / "operator_new.cc"}
"""Language -> a program that knows nothing of hakmem."""

# The best switches, whatever the command line says.
CONFIG = "p0+p1+p2+p3"

COMPILERS = {"gcc": ("gcc", "g++"), "clang": ("clang", "clang++")}
"""Name -> the commands for C and for C++."""

_TIMEOUT_SECONDS = 600
_WARNINGS = ["-Wall", "-Wextra", "-Werror"]


class CommandFailed(Exception):
    """The text has the command and all that it said."""


def run(*command: str | Path, **environment: str) -> str:
    """Both streams of a command that has to succeed."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        env={**os.environ, "LC_ALL": "C", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise CommandFailed(f"{shlex.join(words)} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def scratch_folder() -> Path:
    return Path(tempfile.mkdtemp(dir=os.environ.get("TEST_TMPDIR")))


def unpacked(archive: str) -> Path:
    """The dist tree as a prefix that nobody knew of while it was built. A blank in its name must not matter."""
    prefix = scratch_folder() / "a fresh prefix"
    prefix.mkdir()
    run("tar", "--extract", "--no-same-owner", "--file", archive, "--directory", prefix)
    return prefix


def pkg_config(folder: Path, *options: str, **environment: str) -> list[str]:
    """What pkg-config says of hakmem, with the files in `folder` only."""
    said = run("pkg-config", *options, "hakmem", PKG_CONFIG_LIBDIR=str(folder), PKG_CONFIG_PATH="", **environment)
    return shlex.split(said)


def compiled(source: Path, compiler: str, flags: list[str], output: Path, language: str) -> Path:
    """`language` is "c" or "c++", whatever the source's name says."""
    command = COMPILERS[compiler][language == "c++"]
    standard, suffix = ("-std=gnu11", ".c") if language == "c" else ("-std=c++17", ".cc")
    named = output.with_name(output.name + suffix)
    shutil.copyfile(source, named)
    run(command, standard, *_WARNINGS, "-O2", named, "-o", output, *flags)
    return output


def answers(program: Path, **environment: str) -> dict[str, str]:
    """The lines of owned.c. It fails where a block is not hakmem's."""
    return dict(line.split(": ", 1) for line in run(program, **environment).splitlines())


def starts_hakmem(program: Path, **environment: str) -> bool:
    """Whether hakmem initialises itself in a program that knows nothing of it."""
    return "hakmem: option: HAKMEM_HELP" in run(program, HAKMEM_HELP="1", **environment)


def needed(file: Path) -> set[str]:
    """Shared libraries that an ELF file names as needed."""
    return set(re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "--dynamic", "--wide", file)))


def soname(file: Path) -> str:
    found: list[str] = re.findall(r"\(SONAME\).*\[(.*)\]", run("readelf", "--dynamic", "--wide", file))
    return found[0]
