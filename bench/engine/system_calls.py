# SPDX-License-Identifier: MIT
"""How often a run asks the kernel for something, by strace."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.engine import valgrind

_ROW = re.compile(r"^\s*(\d+)\s+(\w+)$")


def parse(text: str) -> dict[str, int]:
    """System call -> how often, in the output of `strace -c -U calls,name`; a ValueError where there is none."""
    found = {row[2]: int(row[1]) for line in text.splitlines() if (row := _ROW.match(line)) and row[2] != "total"}
    if not found:
        raise ValueError("strace counted nothing")
    return found


def command(out: Path) -> list[str]:
    """What has to stand before a command so that its calls are counted in `out`; threads and children as well."""
    # Signals would be lines of their own.
    return [valgrind.tool("strace"), "-c", "-f", "-q", "-U", "calls,name", "-o", str(out), "--"]


def counted(run: Callable[[list[str]], object]) -> dict[str, int]:
    """What `run` asked the kernel for; it gets the command that has to stand before its own."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "strace.out"
        run(command(out))
        return parse(out.read_text(encoding="utf-8"))


def difference(once: dict[str, int], twice: dict[str, int]) -> dict[str, int]:
    """What the second half of `twice` did: the start of a run is in both. Nothing is below 0 but by chance."""
    calls = {name: twice.get(name, 0) - once.get(name, 0) for name in once.keys() | twice.keys()}
    return {name: count for name, count in sorted(calls.items()) if count > 0}
