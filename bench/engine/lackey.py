# SPDX-License-Identifier: MIT
"""Every instruction and memory access that a function executes, by valgrind's lackey.

A trace has a line an instruction, " L" and " S" lines for its loads and stores, " M" for a load and store of the
same place:

    I  0010a4c0,4
     L 1ffeffd0b8,8
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.engine import valgrind
from tools.measure import process


@dataclass
class Call:
    """One execution of a function, with all that it calls."""

    path: list[int] = field(default_factory=list)
    """Addresses of the instructions in the order of execution."""
    loads: int = 0
    stores: int = 0


def calls(trace: Iterable[str], entry: int) -> Iterator[Call]:
    """The executions of the function at address `entry`, each up to where its caller goes on.

    The function must not call itself, and its callers must use call instructions.
    """
    call: Call | None = None
    return_address = next_address = 0
    for line in trace:
        event = line[:2]
        if event == "I ":
            address, size = line[3:].split(",")
            here = int(address, 16)
            if call is not None and here == return_address:
                yield call
                call = None
            if call is None and here == entry:
                call, return_address = Call(), next_address
            if call is not None:
                call.path.append(here)
            next_address = here + int(size)
        elif call is not None:
            call.loads += event in (" L", " M")
            call.stores += event in (" S", " M")


def trace(path: Path, arguments: list[str], folder: Path) -> tuple[str, Path]:
    """Runs the worker `path` under lackey; its standard output, and the file in `folder` with the trace."""
    file = folder / "lackey.trace"
    command = [valgrind.tool("valgrind"), "--tool=lackey", "--trace-mem=yes", f"--log-file={file}"]
    return process.start([*command, str(path), *arguments]), file


def temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """For a trace: some megabytes."""
    return tempfile.TemporaryDirectory(prefix="lackey")
