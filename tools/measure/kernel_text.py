# SPDX-License-Identifier: MIT
"""Text that the kernel writes, as below /proc: lines with names that are the processes', and may be anything."""

from __future__ import annotations

from pathlib import Path


def lines_of(path: str | Path) -> list[str]:
    """Of a file of the kernel's, which ends them by a line feed, and has an escape where a name has one. All else that Python
    takes for the end of a line, a carriage return or a form feed, may stand in names, which are the process's. Bytes that are
    no UTF-8 are surrogates."""
    return [one for one in Path(path).read_bytes().decode("utf-8", "surrogateescape").split("\n") if one]
