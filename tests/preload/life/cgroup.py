# SPDX-License-Identifier: MIT
"""A memory cgroup for one program: made below this process's own, so that what holds for it holds for the program too.

Both versions of the kernel's interface. Where none can be made, `Unavailable` says why.
"""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

REMOVAL_SECONDS = 300


class Unavailable(Exception):
    """This process may not make a memory cgroup, or the kernel has none."""


def _mounts() -> list[tuple[Path, str, set[str]]]:
    """Folder, type and options of every cgroup hierarchy."""
    found = []
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, folder, kind, options, *_ = line.split()
        if kind in ("cgroup", "cgroup2"):
            found.append((Path(folder), kind, set(options.split(","))))
    return found


def _own(controller: str) -> str | None:
    """This process's path in the hierarchy of a controller; "" is the one of version 2."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path.lstrip("/")
    return None


def _parent() -> tuple[Path, bool]:
    """Where to make one, and whether it is of version 2."""
    for folder, kind, options in _mounts():
        if kind == "cgroup" and "memory" in options:
            path = _own("memory")
            if path is not None and (folder / path).is_dir():
                return folder / path, False
            raise Unavailable(f"this process's memory cgroup, /{path}, is not to be seen below {folder}")
    for folder, kind, _ in _mounts():
        if kind == "cgroup2":
            parent = folder / (_own("") or "")
            handed_down = parent / "cgroup.subtree_control"
            if handed_down.exists() and "memory" in handed_down.read_text().split():
                return parent, True
    raise Unavailable("no hierarchy hands the memory controller down to this process's cgroup")


class MemoryCgroup:
    """With the limit that it was made with, until the end of the `with`."""

    def __init__(self, limit_bytes: int) -> None:
        parent, self._is_v2 = _parent()
        self._folder = parent / f"hakmem-test-{os.getpid()}"
        try:
            self._folder.mkdir()
        except OSError as error:
            raise Unavailable(f"{self._folder}: {os.strerror(error.errno or 0)}") from error
        try:
            self._write("memory.max" if self._is_v2 else "memory.limit_in_bytes", limit_bytes)
            self._no_swap(limit_bytes)
        except OSError as error:
            self._remove()
            raise Unavailable(f"{self._folder}: {os.strerror(error.errno or 0)}") from error

    def __enter__(self) -> MemoryCgroup:
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    def _write(self, name: str, value: int) -> None:
        (self._folder / name).write_text(str(value))

    def _no_swap(self, limit_bytes: int) -> None:
        """Where the kernel counts swap, it is no way out."""
        name, value = ("memory.swap.max", 0) if self._is_v2 else ("memory.memsw.limit_in_bytes", limit_bytes)
        if (self._folder / name).exists():
            self._write(name, value)

    def _remove(self) -> None:
        """The kernel lets go of the last process a moment after it was waited for."""
        deadline = time.monotonic() + REMOVAL_SECONDS
        while True:
            try:
                self._folder.rmdir()
                return
            except OSError as error:
                if error.errno != errno.EBUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def enter(self) -> None:
        """The calling process and its children from now on."""
        self._write("cgroup.procs", os.getpid())

    def kills(self) -> int:
        """How many processes the kernel ended for want of memory."""
        name = "memory.events" if self._is_v2 else "memory.oom_control"
        counts = dict(line.split() for line in (self._folder / name).read_text().splitlines())
        return int(counts["oom_kill"])

    def most_bytes(self) -> int | None:
        """Most memory at any time, what files lend included; None where the kernel does not keep it."""
        name = self._folder / ("memory.peak" if self._is_v2 else "memory.max_usage_in_bytes")
        return int(name.read_text()) if name.exists() else None
