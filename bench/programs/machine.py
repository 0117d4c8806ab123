# SPDX-License-Identifier: MIT
"""What the figures depend on and a reader cannot guess: the machine, without its name."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path


def chosen(text: str) -> str:
    """The word in brackets of a kernel setting, "always [madvise] never"."""
    found = re.search(r"\[(\w+)\]", text)
    return found[1] if found else text.strip()


def version(release: str) -> str:
    """The numbers that a kernel's release begins with; what follows names who built it."""
    found = re.match(r"[0-9]+(\.[0-9]+)*", release)
    return found[0] if found else release


def identity() -> dict[str, str | int]:
    """Processor, processors, memory, system, kernel and the kernel's use of huge pages."""
    processor = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    huge_pages = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    return {
        "processor": processor[1] if processor else platform.machine(),
        "processors": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": platform.freedesktop_os_release()["PRETTY_NAME"],
        "kernel": version(platform.release()),
        "transparent_huge_pages": chosen(huge_pages.read_text()) if huge_pages.exists() else "none",
    }
