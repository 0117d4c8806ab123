# SPDX-License-Identifier: MIT
"""Writes the source tarball: what a build without Bazel needs, below one folder hakmem-VERSION.

    pack.py --version 0.1.0 --date 2026-01-31 --output hakmem-0.1.0.tar.gz --wrap hakmem.wrap
        --built generated/build.h=FILE ... SOURCE ...

A SOURCE keeps its path; what was built gets the one that stands before '='. The same inputs give the same bytes, whoever
runs it, where and when. The wrap file names the tarball and its digest, for the folder subprojects/ of a project that Meson
builds.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import sys
from pathlib import Path
from typing import Sequence

# Run as a plain script, only this folder is on the path, not the one that holds it.
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tools.dist import layout, tarball  # noqa: E402

STATUS_REFUSED = 2

# The Rust crate compiles the library in one file, which lies inside of it where Cargo packs it.
_LINKS = {"bindings/rust/hakmem-sys/amalgamated": "../../../amalgamated"}

_WRAP = """\
[wrap-file]
directory = hakmem-{version}
source_filename = {name}
source_hash = {digest}

[provide]
hakmem = hakmem_dep
"""


def entries(version: str, sources: Sequence[str], built: Sequence[str]) -> list[layout.Entry]:
    top = f"hakmem-{version}/"
    # Bazel writes "./" before a file of the top.
    files = {name.removeprefix("./"): Path(name) for name in sources}
    for argument in built:
        name, _, path = argument.partition("=")
        if not path:
            raise layout.Refusal(f"--built {argument}: NAME=FILE is wanted")
        files[name] = Path(path)
    found = [layout.Entry(top + name, layout.read(path)) for name, path in files.items()]
    found += [layout.Entry(top + name, link=target) for name, target in _LINKS.items()]
    return sorted(found, key=lambda entry: entry.path)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="pack.py", description="Writes the source tarball.", allow_abbrev=False)
    parser.add_argument("--version", required=True, help="MAJOR.MINOR.PATCH")
    parser.add_argument("--date", required=True, type=layout.epoch_of, dest="epoch", help="YYYY-MM-DD, of all files")
    parser.add_argument("--built", action="append", default=[], help="NAME=FILE: a file that is no source; repeatable")
    parser.add_argument("--output", required=True, type=Path, help="tarball to write")
    parser.add_argument("--wrap", required=True, type=Path, help="Meson's wrap file to write")
    parser.add_argument("sources", nargs="*", help="files, by their paths in the checkout")
    parsed = parser.parse_args(arguments)
    try:
        content = tarball.archive(entries(parsed.version, parsed.sources, parsed.built), parsed.epoch)
    except layout.Refusal as refusal:
        print(f"pack.py: {refusal}", file=sys.stderr)
        return STATUS_REFUSED
    packed = gzip.compress(content, mtime=0)
    parsed.output.write_bytes(packed)
    digest = hashlib.sha256(packed).hexdigest()
    parsed.wrap.write_text(
        _WRAP.format(version=parsed.version, name=f"hakmem-{parsed.version}.tar.gz", digest=digest), encoding="ascii"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
