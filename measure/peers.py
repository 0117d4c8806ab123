# SPDX-License-Identifier: MIT
"""The allocators that hakmem is compared with, as Debian has them. A new peer is a line of PEERS."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from measure.contender import GLIBC
from measure.program import BenchError


@dataclass(frozen=True)
class Peer:
    """An allocator that a package of the distribution holds."""

    soname: str
    """The name by which the loader knows its library."""
    package: str
    """Debian's package."""


PEERS = {
    "mimalloc": Peer("libmimalloc.so.2", "libmimalloc2.0"),
    "jemalloc": Peer("libjemalloc.so.2", "libjemalloc2"),
    "tcmalloc": Peer("libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"),
    GLIBC: Peer("libc.so.6", "libc6"),
}
"""By name, in the order of every report."""

REFERENCE = "mimalloc"
"""No change of hakmem touches it: by it two reports are compared."""

_LDCONFIG = ("ldconfig", "/sbin/ldconfig", "/usr/sbin/ldconfig")


def _elf_kind(file: Path) -> bytes:
    """Word size and processor of an ELF file, as its header has them; b"" where it is none, or cannot be read."""
    try:
        with file.open("rb") as opened:
            head = opened.read(20)
    except OSError:
        return b""
    return head[4:5] + head[18:20] if head.startswith(b"\x7fELF") and len(head) == 20 else b""


def listed(listing: str, soname: str) -> Path | None:
    """Where `ldconfig -p` says that the library is, of the kind that this process can load; None: nowhere.

    The libraries of other processors, 32-bit ones among them, stand in the same list under the same name.
    """
    own = _elf_kind(Path("/proc/self/exe"))
    for found in re.finditer(rf"^\s*{re.escape(soname)} .*=> (\S+)$", listing, re.MULTILINE):
        if _elf_kind(Path(found[1])) == own:
            return Path(found[1])
    return None


def installed(soname: str) -> Path:
    """Where the loader finds the library `soname`."""
    for tool in _LDCONFIG:
        try:
            listing = subprocess.run([tool, "-p"], capture_output=True, text=True, check=True).stdout
            break
        except (OSError, subprocess.CalledProcessError):
            continue
    else:
        raise BenchError("ldconfig cannot be started: which libraries are installed is not known")
    found = listed(listing, soname)
    if found is None:
        packages = [peer.package for peer in PEERS.values() if peer.soname == soname]
        raise BenchError(f"{soname} is not installed" + "".join(f": Debian's package is {name}" for name in packages))
    return found


def library(name: str) -> Path:
    """The library of the peer `name`."""
    return installed(PEERS[name].soname)


def version(name: str) -> str:
    """The version of the peer's Debian package."""
    command = ["dpkg-query", "-W", "-f", "${Version}", PEERS[name].package]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        raise BenchError(f"dpkg-query failed: {said.strip()}") from error
