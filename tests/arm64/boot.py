# SPDX-License-Identifier: MIT
"""Boots a kernel for arm64 in an emulated machine, with test programs inside, and says how each ended.

    bazel run --config=aarch64 //tests/arm64 -- --kernel=/boot/vmlinuz-6.12.117+deb13-arm64-16k

--kernel may be repeated: a vmlinuz, or the Debian package that holds one (linux-image-*-arm64*.deb). Nothing is
downloaded. Exit status 0: every program ended well on every kernel; 1: not; 2: the arguments are at fault.
"""

from __future__ import annotations

import argparse
import gzip
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

EMULATOR = "qemu-system-aarch64"
MARK = "hakmem-arm64: "
SECONDS = 3600
"""For all programs on one kernel: a hang ends, a slow machine passes."""

_REGULAR, _FOLDER = 0o100755, 0o040755

_LIBRARIES = ("ld-linux-aarch64.so.1", "libc.so.6", "libm.so.6", "libgcc_s.so.1", "libstdc++.so.6")


class Refusal(Exception):
    """Nothing can be run; the text says why, for standard error."""


@dataclass(frozen=True)
class Outcome:
    machine: str
    """What the kernel says of itself: pages and addresses."""
    ended: dict[str, str]
    """Program -> "status 0", "signal 6" or, if it was begun only, "not ended"."""
    is_done: bool
    """Whether the machine came to its end."""

    @property
    def failed(self) -> list[str]:
        return [name for name, how in self.ended.items() if how != "status 0"]


def libraries(folder: Path) -> dict[str, bytes]:
    """What programs need that are not linked statically, from the cross compiler's folder; by paths of the machine."""
    return {f"lib/{name}": (folder / name).read_bytes() for name in _LIBRARIES if (folder / name).exists()}


def initramfs(init: bytes, programs: dict[str, bytes], others: dict[str, bytes]) -> bytes:
    """An archive for the kernel: cpio's form "newc" (Linux, Documentation/driver-api/early-userspace), compressed."""
    files: dict[str, tuple[int, bytes]] = {"init": (_REGULAR, init), "tests": (_FOLDER, b"")}
    files.update({"lib": (_FOLDER, b"")} if others else {})
    files.update({path: (_REGULAR, data) for path, data in others.items()})
    files.update({f"tests/{name}": (_REGULAR, data) for name, data in programs.items()})
    out = io.BytesIO()
    for number, (name, (mode, data)) in enumerate([*files.items(), ("TRAILER!!!", (0, b""))], 1):
        links = 2 if mode == _FOLDER else 1
        fields = [number, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        header = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        for part in (header, data):
            out.write(part + b"\0" * (-len(part) % 4))
    return gzip.compress(out.getvalue(), 1, mtime=0)


def kernel_of(path: Path) -> bytes:
    """The kernel in a file, which may be a Debian package."""
    try:
        if path.suffix != ".deb":
            return path.read_bytes()
        listing = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(path)], capture_output=True, check=True)
    except OSError as error:
        raise Refusal(f"{path}: {error.strerror}") from None
    except subprocess.CalledProcessError:
        raise Refusal(f"{path}: no Debian package") from None
    with tarfile.open(fileobj=io.BytesIO(listing.stdout)) as archive:
        for member in archive:
            found = archive.extractfile(member) if re.fullmatch(r"\./boot/vmlinuz-.*", member.name) else None
            if found is not None:
                return found.read()
    raise Refusal(f"{path}: no /boot/vmlinuz-*; a package linux-image-VERSION-arm64 is wanted, not linux-image-arm64")


def read_outcome(text: str) -> Outcome:
    """What init said, from all that the console showed."""
    machine, is_done = "it said nothing: no kernel for arm64?", False
    ended: dict[str, str] = {}
    for line in text.splitlines():
        _, found, said = line.partition(MARK)
        word, _, rest = said.strip().partition(" ")
        if not found:
            continue
        if word == "machine":
            machine = rest
        elif word == "begin":
            ended[rest] = "not ended"
        elif word == "end":
            name, _, how = rest.partition(" ")
            ended[name] = how
        elif word == "done":
            is_done = True
    return Outcome(machine, ended, is_done)


def boot(kernel: bytes, archive: bytes, processor: str, log: Path) -> Outcome:
    """Runs the machine until init turns it off; the console's text goes to `log`."""
    emulator = shutil.which(EMULATOR)
    if emulator is None:
        raise Refusal(f"{EMULATOR} is not there: apt-get install qemu-system-arm")
    with tempfile.TemporaryDirectory() as folder:
        image, initrd = Path(folder, "kernel"), Path(folder, "initramfs")
        image.write_bytes(kernel)
        initrd.write_bytes(archive)
        command = [
            emulator,
            "-machine",
            "virt",
            "-cpu",
            processor,
            "-smp",
            "2",
            "-m",
            "2048",
            "-nographic",
            "-no-reboot",
        ]
        command += ["-nic", "none", "-kernel", str(image), "-initrd", str(initrd)]
        command += ["-append", "console=ttyAMA0 panic=-1 loglevel=3"]
        with log.open("wb") as out:
            try:
                subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=SECONDS, check=False)
            except subprocess.TimeoutExpired:
                pass
    return read_outcome(log.read_text(errors="replace"))


def report(name: str, outcome: Outcome, log: Path) -> bool:
    """Prints how the programs ended on a kernel. Whether all ended well."""
    good = outcome.is_done and bool(outcome.ended) and not outcome.failed
    print(f"{name}: {outcome.machine}")
    for program, how in outcome.ended.items():
        print(f"  {'passed' if how == 'status 0' else 'FAILED'}  {program}" + ("" if how == "status 0" else f": {how}"))
    if not good:
        print(f"  {'' if outcome.is_done else 'the machine did not come to its end; '}console: {log}")
    print(f"  {len(outcome.ended) - len(outcome.failed)} of {len(outcome.ended)} passed", flush=True)
    return good


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="//tests/arm64", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument(
        "--kernel", action="append", required=True, type=Path, help="vmlinuz or Debian package; may be repeated"
    )
    parser.add_argument(
        "--cpu",
        default="max",
        help="of the machine: max (the default) has pages of 4, 16 and 64 KiB and 52-bit addresses, cortex-a72 no 16 KiB",
    )
    parser.add_argument(
        "--libraries",
        default=Path("/usr/aarch64-linux-gnu/lib"),
        type=Path,
        help="folder of the C library for arm64 (default %(default)s, of libc6-arm64-cross)",
    )
    parser.add_argument("--init", required=True, type=Path, help="the first process; //tests/arm64 gives it")
    parser.add_argument(
        "--program", action="append", required=True, type=Path, help="may be repeated; //tests/arm64 gives them"
    )
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    parsed = parse(arguments)
    try:
        programs = {path.name: path.read_bytes() for path in parsed.program}
        archive = initramfs(parsed.init.read_bytes(), programs, libraries(parsed.libraries))
        # Where the user is; `bazel run` starts programs elsewhere.
        here = Path(os.environ.get("BUILD_WORKING_DIRECTORY", "."))
        kernels = [(path, kernel_of(here / path)) for path in parsed.kernel]
        good = True
        for number, (path, kernel) in enumerate(kernels):
            log = Path(tempfile.gettempdir(), f"hakmem-arm64-{number}.log")
            good = report(path.name, boot(kernel, archive, parsed.cpu, log), log) and good
        return 0 if good else 1
    except OSError as error:
        print(f"//tests/arm64: {error.filename}: {error.strerror}", file=sys.stderr)
    except Refusal as refusal:
        print(f"//tests/arm64: {refusal}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
