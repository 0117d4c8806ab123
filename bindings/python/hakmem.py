#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Asks hakmem from Python, through ctypes, where it is preloaded:

    LD_PRELOAD=/path/libhakmem.so python3 hakmem.py

As a program it prints the statistics as JSON. Python takes small objects from arenas of its own, which it maps and does not
allocate; PYTHONMALLOC=malloc sends all to malloc.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from typing import Any

_JSON = 1  # HAK_STATS_JSON


class NotPreloaded(Exception):
    """malloc of this process is not hakmem's."""


class Hakmem:
    """The functions of hakmem.h that this process has."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None, use_errno=True)
        try:
            self._library.hak_version.restype = ctypes.c_char_p
            self._library.hak_trim.restype = ctypes.c_size_t
        except AttributeError:
            raise NotPreloaded("hakmem is not preloaded: LD_PRELOAD=/path/libhakmem.so") from None

    def version(self) -> str:
        return str(self._library.hak_version().decode("ascii"))

    def trim(self) -> int:
        """Returns all unused memory to the system, and the number of its bytes."""
        return int(self._library.hak_trim())

    def statistics(self) -> dict[str, Any]:
        """All of them, as hakmem/observe/stats.schema.json describes them."""
        file = os.memfd_create("hakmem statistics")
        try:
            error = self._library.hak_stats_write(file, _JSON)
            if error != 0:
                raise OSError(error, os.strerror(error))
            os.lseek(file, 0, os.SEEK_SET)
            with open(file, encoding="ascii", closefd=False) as text:
                return dict(json.load(text))
        finally:
            os.close(file)

    def write_profile(self, path: str) -> None:
        """Writes what was sampled, in pprof's format; HAKMEM_PROFILE starts to sample."""
        error = self._library.hak_profile_write(os.fsencode(path))
        if error != 0:
            raise OSError(error, os.strerror(error), path)


def main() -> int:
    try:
        print(json.dumps(Hakmem().statistics()))
    except NotPreloaded as error:
        print(f"hakmem.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
