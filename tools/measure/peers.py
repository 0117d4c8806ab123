# SPDX-License-Identifier: MIT
"""The allocators that hakmem is compared with, as Debian has them. A new peer is a line of PEERS."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tools.measure.contender import GLIBC
from tools.measure.program import BenchError


@dataclass(frozen=True)
class Peer:
    """An allocator that a package of the distribution holds."""

    sonames: tuple[str, ...]
    """The names by which the loader knows its library, by the release of Debian."""
    packages: tuple[str, ...]
    """Debian's packages, one a release."""


PEERS = {
    "mimalloc": Peer(("libmimalloc.so.2", "libmimalloc.so.3"), ("libmimalloc2.0", "libmimalloc3")),
    "jemalloc": Peer(("libjemalloc.so.2",), ("libjemalloc2",)),
    "tcmalloc": Peer(("libtcmalloc_minimal.so.4",), ("libtcmalloc-minimal4", "libtcmalloc-minimal4t64")),
    GLIBC: Peer(("libc.so.6",), ("libc6",)),
}
"""By name, in the order of every report."""


@dataclass(frozen=True)
class MorePeer:
    """One that is measured where it is asked for by its name."""

    files: str
    """Below /usr/lib, with * for what changes with the release; the last one in the order of names is taken."""
    package: str


MORE = {
    "tbbmalloc": MorePeer("*/libtbbmalloc_proxy.so.2", "libtbbmalloc2"),
    "scudo": MorePeer("llvm-*/lib/clang/*/lib/linux/libclang_rt.scudo_standalone-*.so", "libclang-rt-14-dev"),
}
"""By name: what Debian has besides, and no goal of ours is about."""

_LIBRARIES = Path("/usr/lib")

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


def installed(*sonames: str) -> Path:
    """Where the loader finds the library, by the first of `sonames` that it knows."""
    for tool in _LDCONFIG:
        try:
            listing = subprocess.run([tool, "-p"], capture_output=True, text=True, check=True).stdout
            break
        except (OSError, subprocess.CalledProcessError):
            continue
    else:
        raise BenchError("ldconfig cannot be started: which libraries are installed is not known")
    for soname in sonames:
        found = listed(listing, soname)
        if found is not None:
            return found
    raise BenchError(f"{' or '.join(sonames)} is not installed; tools/setup --tests installs all peers")


def more(name: str, folder: Path = _LIBRARIES) -> Path:
    """The library of the peer `name` of MORE, of this processor's kind; a BenchError names its package."""
    own = _elf_kind(Path("/proc/self/exe"))
    found = [path for path in sorted(folder.glob(MORE[name].files)) if _elf_kind(path) == own]
    if not found:
        raise BenchError(f"{name} is not installed: Debian's package {MORE[name].package} has it")
    return found[-1]


def library(name: str) -> Path:
    """The library of the peer `name`."""
    return installed(*PEERS[name].sonames)


def version(name: str) -> str:
    """The version of the peer's Debian package."""
    command = ["dpkg-query", "-W", "-f", "${Version}\n", *PEERS[name].packages]
    try:
        # Its status is 1 where one of the packages is of another release.
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise BenchError(f"dpkg-query failed: {error}") from error
    versions = done.stdout.split()
    if not versions:
        raise BenchError(f"dpkg-query failed: {done.stderr.strip()}")
    return versions[0]
