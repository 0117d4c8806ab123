# SPDX-License-Identifier: MIT
"""What the tests of the source tarball share: the tarball in a folder that has nothing else, and the commands of docs/build.md.

The tests use no file of the checkout but that page and the expected results. Each command of the page is a line of a
block; a test asks for the block of a title and runs it in the unpacked folder.
"""

from __future__ import annotations

import os
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path

_TIMEOUT_SECONDS = 1800
_PAGE = Path("docs/build.md")

# Where Debian's programs are. Another installation of a language may stand before them on a developer's PATH.
_PATH = "/usr/bin:/bin"


class CommandFailed(Exception):
    """The text has the command and all that it said."""


def scratch_folder() -> Path:
    return Path(tempfile.mkdtemp(dir=os.environ.get("TEST_TMPDIR")))


def unpacked(archive: str) -> Path:
    """The one folder of the tarball, below a folder that was empty."""
    folder = scratch_folder()
    with tarfile.open(archive) as tar:
        tar.extractall(folder)
    found = list(folder.iterdir())
    if len(found) != 1:
        raise AssertionError(f"{archive} has {sorted(path.name for path in found)}; one folder is expected")
    return found[0]


def run(command: str, folder: Path, **environment: str) -> str:
    """What a line of the shell says, on both streams. It has to succeed, and sees no variable but these."""
    done = subprocess.run(
        ["/bin/sh", "-e", "-c", command],
        cwd=folder,
        env={"PATH": _PATH, "LC_ALL": "C", "HOME": str(folder), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise CommandFailed(f"{command}\nended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def documented(title: str) -> str:
    """The block of commands below a heading of docs/build.md."""
    text = _PAGE.read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(title)}\n(?:(?!## |    ).*\n)*((?:    .*\n|\n(?=    ))+)", text, re.MULTILINE)
    if found is None:
        raise AssertionError(f"{_PAGE} has no block of commands below '{title}'")
    return re.sub("^    ", "", found[1], flags=re.MULTILINE)


def fast_paths(library: Path) -> dict[str, list[str]]:
    """The instructions of malloc and free, without what the linker decides: addresses and what they are relative to."""
    symbols = _said("nm", "--dynamic", "--defined-only", "--print-size", library)
    found = {}
    for name in ("malloc", "free"):
        place = re.search(rf"^([0-9a-f]+) ([0-9a-f]+) T {name}$", symbols, re.MULTILINE)
        if place is None:
            raise AssertionError(f"{library} has no function {name}")
        start, size = (int(number, 16) for number in place.groups())
        span = [f"--start-address={start}", f"--stop-address={start + size}"]
        listing = _said("objdump", "--disassemble", "--no-show-raw-insn", *span, library)
        lines = re.findall(r"^ *[0-9a-f]+:\t(.*)$", listing, re.MULTILINE)
        found[name] = [instruction for line in lines if (instruction := _without_addresses(line))]
    return found


def shadow_stack_marks(library: Path) -> int:
    """How many members of an archive, or of the one that a shared library is, say that they are right under shadow stacks."""
    return _said("readelf", "--notes", "--wide", library).count("x86 feature: SHSTK")


def _said(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _without_addresses(instruction: str) -> str:
    """Empty where it only fills the space up to the next function."""
    text = instruction.partition("#")[0].strip()
    if re.match(r"(data16 |cs )*(nop|xchg +%ax,%ax)", text):
        return ""
    text = re.sub(r"-?0x[0-9a-f]+\(%rip\)", "ADDRESS(%rip)", text)
    return re.sub(r"\b[0-9a-f]+ <[^>]*>", "ADDRESS", text)
