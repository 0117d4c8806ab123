# SPDX-License-Identifier: MIT
"""tar, xz and zstd with two threads: an archive packed and unpacked, and every file the same afterwards."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

from bench.programs.workloads import generate
from bench.programs.workloads.errors import expect
from bench.programs.workloads.session import Session
from bench.programs.workloads.workload import Need, Outcome, Workload

_FILES = 60


def _checksums(folder: Path) -> bytes:
    """A line for each file: its checksum and its path below `folder`."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.relative_to(folder)}"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
    return "\n".join(lines).encode()


class RoundTrip(Workload):
    name = "archive"
    task = "tar, xz -T2 and zstd -T2 of a folder of texts and random bytes, there and back"
    needs = (Need("/bin/tar", "tar"), Need("/usr/bin/xz", "xz-utils"), Need("/usr/bin/zstd", "zstd"))
    programs = frozenset({"tar", "xz", "zstd"})

    def prepare(self, inputs: Path, seed: int) -> None:
        generator = random.Random(seed)
        text = generate.text(generator, 30_000)
        for number in range(_FILES):
            folder = inputs / "files" / f"folder{number % 5}"
            folder.mkdir(parents=True, exist_ok=True)
            start = generator.randrange(len(text) // 2)
            content = text[start : start + generator.randint(1, 400_000)].encode()
            (folder / f"file{number}").write_bytes(generator.randbytes(50_000) if number % 10 == 0 else content)

    def run(self, session: Session) -> Outcome:
        # Owner and time of the files are this run's, not part of what is tested.
        session.run(
            "tar", "-C", str(session.inputs), "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner",
            "-cf", "all.tar", "files",
        )  # fmt: skip
        # Blocks small enough that both threads get some.
        session.run("xz", "-T2", "-3", "--block-size=2MiB", "--keep", "all.tar")
        session.run("zstd", "-q", "-T2", "-9", "all.tar", "-o", "all.tar.zst")
        session.run("xz", "-T2", "--test", "all.tar.xz")
        session.run("sh", "-c", "xz -T2 -dc all.tar.xz > from_xz.tar")
        session.run("zstd", "-q", "-d", "all.tar.zst", "-o", "from_zstd.tar")
        session.run("tar", "-xf", "from_zstd.tar")
        original = (session.folder / "all.tar").read_bytes()
        for name in ("from_xz.tar", "from_zstd.tar"):
            expect((session.folder / name).read_bytes() == original, f"{name} is not what was packed")
        checksums = _checksums(session.folder / "files")
        expect(checksums == _checksums(session.inputs / "files"), "the unpacked files are not what was packed")
        expect(len(checksums.splitlines()) == _FILES, f"there are not {_FILES} files")
        packed = {name: (session.folder / name).read_bytes() for name in ("all.tar.xz", "all.tar.zst")}
        return Outcome({"checksums": checksums, **packed})


WORKLOADS = (RoundTrip(),)
