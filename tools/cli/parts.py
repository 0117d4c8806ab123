# SPDX-License-Identifier: MIT
"""The libraries that the command preloads. A build and an installation lay them at the same place below the root, as this
module: ROOT/tools/cli/parts.py."""

from __future__ import annotations

from pathlib import Path

from tools.measure.program import BenchError

_FOLDER = Path(__file__).absolute().parents[2] / "hakmem/preload"

PLAIN = "libhakmem.so"
GUARD = "libhakmem-guard.so"
GUARD_FULL = "libhakmem-guard-full.so"


def library(name: str) -> Path:
    """The path of a library, as the loader takes it."""
    path = _FOLDER / name
    if not path.exists():
        raise BenchError(f"{path} is missing: install hakmem again, or `bazel build //hakmem/preload:{name}`")
    if set(str(path)) & set(" :"):
        raise BenchError(f"{path}: the loader takes no path with a colon or blank")
    return path
