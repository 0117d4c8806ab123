# SPDX-License-Identifier: MIT
"""Writes the dist tree as a tar archive. The same inputs give the same bytes, whoever runs it, where and when."""

from __future__ import annotations

import argparse
import io
import sys
import tarfile
from pathlib import Path
from typing import Sequence

# Run as a plain script, only this folder is on the path, not the one that holds it.
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tools.dist import layout  # noqa: E402

STATUS_REFUSED = 2  # argparse's own status for wrong arguments.

# hakmem.pc lies in lib/pkgconfig.
_RELOCATABLE_PREFIX = "${pcfiledir}/../.."


def _member(name: str, kind: bytes, mode: int, epoch: int) -> tarfile.TarInfo:
    """Owned by root, whose name is left out: it need not exist where the archive is unpacked."""
    member = tarfile.TarInfo(name)
    member.type = kind
    member.mode = mode
    member.mtime = epoch
    return member


def archive(entries: list[layout.Entry], epoch: int) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for folder in layout.folders(entries):
            tar.addfile(_member(folder, tarfile.DIRTYPE, layout.FOLDER_MODE, epoch))
        for entry in entries:
            if entry.link:
                member = _member(entry.path, tarfile.SYMTYPE, 0o777, epoch)
                member.linkname = entry.link
                tar.addfile(member)
            else:
                member = _member(entry.path, tarfile.REGTYPE, entry.mode, epoch)
                member.size = len(entry.data)
                tar.addfile(member, io.BytesIO(entry.data))
    return content.getvalue()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tarball.py", description=__doc__, allow_abbrev=False)
    layout.add_arguments(parser)
    parser.add_argument(
        "--musl-archive", type=Path, help="file that becomes lib/musl/libhakmem.a; without, there is none"
    )
    parser.add_argument("--output", required=True, type=Path, help="archive to write")
    parsed = parser.parse_args(arguments)
    inputs = layout.inputs_of(parsed)
    try:
        entries = layout.entries(inputs, prefix=_RELOCATABLE_PREFIX, libdir="lib")
        if parsed.musl_archive is not None:
            entries.append(layout.Entry("lib/musl/libhakmem.a", layout.read(parsed.musl_archive)))
            entries.sort(key=lambda entry: entry.path)
        parsed.output.write_bytes(archive(entries, inputs.epoch))
    except layout.Refusal as refusal:
        print(f"tarball.py: {refusal}", file=sys.stderr)
        return STATUS_REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
