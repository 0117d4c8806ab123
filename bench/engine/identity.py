# SPDX-License-Identifier: MIT
"""What a report was measured on and with: enough to tell whether two can be compared, nothing that names a person or
a host."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

from bench.engine import valgrind
from tools.measure import conditions, process
from tools.measure.program import BenchError

_CPU = Path("/sys/devices/system/cpu")


def _read(path: Path) -> str | None:
    """A line of the kernel's; None where it has none."""
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError):
        return None


def _cpu_model(cpuinfo: str) -> str:
    """The first processor's name."""
    found = re.search(r"^(?:model name|Processor|cpu model)\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return found[1].strip() if found else "unknown"


def chosen_in(text: str | None) -> str | None:
    """Of "always [madvise] never", the one in brackets."""
    found = re.search(r"\[(\w+)\]", text or "")
    return found[1] if found else None


def kernel_version(release: str) -> str:
    """The numbers that a kernel's release begins with; what follows names who built it."""
    found = re.match(r"[0-9]+(\.[0-9]+)*", release)
    return found[0] if found else release


def _governors() -> list[str]:
    """Of all processors, each once; empty where the kernel does not set their speed, as in most virtual machines."""
    found = {_read(path) for path in _CPU.glob("cpu[0-9]*/cpufreq/scaling_governor")}
    return sorted(governor for governor in found if governor)


def _distribution() -> str | None:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        return None


def machine() -> dict[str, Any]:
    """Processor, kernel and what of its settings changes times."""
    memory = re.search(r"^MemTotal:\s+(\d+) kB", _read(Path("/proc/meminfo")) or "", re.MULTILINE)
    cpuinfo = _read(Path("/proc/cpuinfo")) or ""
    return {
        "cpu_model": _cpu_model(cpuinfo),
        "processors": os.cpu_count(),
        "processors_allowed": len(conditions.processors()),
        "hypervisor": bool(re.search(r"^flags\s*:.*\bhypervisor\b", cpuinfo, re.MULTILINE)),
        "memory_bytes": int(memory[1]) * 1024 if memory else None,
        "architecture": platform.machine(),
        "kernel": kernel_version(platform.release()),
        "distribution": _distribution(),
        "transparent_huge_pages": chosen_in(_read(Path("/sys/kernel/mm/transparent_hugepage/enabled"))),
        "governors": _governors(),
        "overcommit": _read(Path("/proc/sys/vm/overcommit_memory")),
        "load_before": os.getloadavg()[0],
    }


def compiler_of(path: Path) -> str | None:
    """What the compiler wrote into the file about itself; None where it wrote nothing, or it was taken out."""
    listing = process.start([valgrind.tool("readelf"), "--string-dump=.comment", str(path)])
    found = re.findall(r"^\s*\[\s*[0-9a-f]+\]\s+(.+)$", listing, re.MULTILINE)
    return "; ".join(dict.fromkeys(text.strip() for text in found)) or None


def code_bytes(path: Path) -> int:
    """Bytes of the sections that hold instructions."""
    listing = process.start([valgrind.tool("objdump"), "--section-headers", "--wide", str(path)])
    sizes = re.findall(r"^\s*\d+ \S+\s+([0-9a-f]+) .*\bCODE\b", listing, re.MULTILINE)
    if not sizes:
        raise BenchError(f"{path} holds no instructions")
    return sum(int(size, 16) for size in sizes)


def binary(path: Path) -> dict[str, Any]:
    """A file by its content: no path, which says more about a person's disk than about the file."""
    content = path.read_bytes()
    return {
        "file": path.name,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "code_bytes": code_bytes(path),
        "compiler": compiler_of(path),
    }


def compilation(path: Path) -> dict[str, Any]:
    """How the build compiles hakmem: what compile_command of BUILD wrote."""
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return value


def commit(workspace: str | None) -> dict[str, Any] | None:
    """The commit of the workspace, and whether files differ from it; None outside of a repository."""
    if workspace is None:
        return None

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", workspace or ".", *arguments], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        return {"id": git("rev-parse", "HEAD"), "modified": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return None


def sources(workspace: str | None) -> str | None:
    """A digest of the commit and of all that tracked files differ from it; None outside of a repository. A file that a run
    writes beside the sources is none of them, and a change of a file that was modified before is seen."""
    if workspace is None:
        return None
    digest = hashlib.sha256()
    try:
        for arguments in (("rev-parse", "HEAD"), ("diff", "--binary", "HEAD")):
            digest.update(subprocess.run(["git", "-C", workspace, *arguments], capture_output=True, check=True).stdout)
    except (OSError, subprocess.CalledProcessError):
        return None
    return digest.hexdigest()
