# SPDX-License-Identifier: MIT
"""Writes the Debian package: the installation of layout.py below /usr, its libraries in the architecture's own folder.

Debian's tools do the work: dpkg-architecture and dpkg-shlibdeps say what the package is for and what it needs, strip
and dpkg-deb write it. The same inputs give the same bytes. Needs no privileges.
"""

from __future__ import annotations

import argparse
import email.utils
import gzip
import hashlib
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Sequence

# Run as a plain script, only this folder is on the path, not the one that holds it.
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tools.dist import layout  # noqa: E402
from tools.dist.layout import Entry, Inputs, Refusal  # noqa: E402

STATUS_REFUSED = 2  # argparse's own status for wrong arguments.

_DOC = "share/doc/hakmem"
_KIB = 1024

# What dpkg-shlibdeps wants to see of a source package.
_SOURCE_CONTROL = "Source: hakmem\n\nPackage: hakmem\nArchitecture: any\n"
_SHLIBS_PREFIX = "shlibs:Depends="

# What the command hakmem imports and starts: addr2line is one of binutils.
_COMMAND_NEEDS = ("binutils", "python3 (>= 3.10)", "python3-protobuf", "python3-pyelftools", "python3-rich")

# What `hakmem replay` alone imports, for its intervals: with what it needs itself it is larger than all of this package. Who
# installs the package without what it recommends is told by the launcher.
_REPLAY_NEEDS = "python3-numpy"

# A note for the linker and the compiler's name: Debian's own packages come without them too.
_STRIP_DYNAMIC = ["--strip-unneeded", "--remove-section=.comment", "--remove-section=.note"]
_STRIP_ARCHIVE = ["--strip-debug", "--enable-deterministic-archives", "--remove-section=.comment"]


def run(*command: str, folder: Path | None = None, environment: dict[str, str] | None = None) -> str:
    """What the command says on standard output."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C", **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise Refusal(f"{command[0]} is not installed; tools/setup --tests does that") from None
    if done.returncode != 0:
        raise Refusal(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def stripped(data: bytes, options: Sequence[str], scratch: Path) -> bytes:
    copy = scratch / "stripped"
    copy.write_bytes(data)
    run("strip", *options, str(copy))
    return copy.read_bytes()


def compressed(entry: Entry) -> Entry:
    """Without name and time, as `gzip -9n`."""
    return Entry(entry.path + ".gz", gzip.compress(entry.data, compresslevel=9, mtime=0))


def _copyright(inputs: Inputs) -> bytes:
    """Debian's machine-readable form: every line of the licence is indented, an empty one is a dot."""
    text = "\n".join(layout.read(notice).decode("utf-8").strip() for notice in inputs.notices)
    holder = re.search(r"^Copyright (?:\(c\) )?(.+)$", text, re.MULTILINE)
    if holder is None:
        raise Refusal("no licence file names a holder of the copyright: a line 'Copyright (c) YEAR WHO' is wanted")
    licence = "\n".join(f" {line or '.'}" for line in text.splitlines())
    return layout.render("debian/copyright", version=inputs.version, holder=holder[1], licence=licence)


def package_entries(inputs: Inputs, multiarch: str, maintainer: str, scratch: Path) -> list[Entry]:
    """All files of the package, relative to /usr."""
    found = []
    for entry in layout.entries(inputs, prefix="/usr", libdir=f"lib/{multiarch}"):
        if entry.path.startswith(_DOC):
            continue  # Debian gathers notices in one file, below.
        if entry.path.startswith("share/man/"):
            entry = compressed(entry)
        elif entry.path.endswith(".a"):
            entry = replace(entry, data=stripped(entry.data, _STRIP_ARCHIVE, scratch))
        elif layout.is_dynamic(entry):
            entry = replace(entry, data=stripped(entry.data, _STRIP_DYNAMIC, scratch))
        found.append(entry)
    date = email.utils.format_datetime(datetime.fromtimestamp(inputs.epoch, timezone.utc))
    changelog = layout.render("debian/changelog", version=inputs.version, maintainer=maintainer, date=date)
    found.append(compressed(Entry(f"{_DOC}/changelog", changelog)))
    found.append(Entry(f"{_DOC}/copyright", _copyright(inputs)))
    found.append(Entry("share/lintian/overrides/hakmem", layout.render("debian/lintian-overrides")))
    return sorted(found, key=lambda entry: entry.path)


def dependencies(entries: list[Entry], scratch: Path) -> str:
    """The packages that the libraries and programs need, from the symbols that they use, and those of the command."""
    (scratch / "debian").mkdir()
    (scratch / "debian/control").write_text(_SOURCE_CONTROL, encoding="utf-8")
    options = []
    for number, entry in enumerate(one for one in entries if layout.is_dynamic(one)):
        (scratch / f"{number}").write_bytes(entry.data)
        options.append(f"-e{number}")
    said = run("dpkg-shlibdeps", "-O", *options, folder=scratch).strip()
    if not said.startswith(_SHLIBS_PREFIX):
        raise Refusal(f"dpkg-shlibdeps said {said!r}; a line {_SHLIBS_PREFIX}... is wanted")
    return ", ".join([said[len(_SHLIBS_PREFIX) :], *_COMMAND_NEEDS])


def installed_kib(entries: list[Entry]) -> int:
    """As Debian's policy counts: each file rounded up to KiB, and one for each link and folder."""
    sizes = [1 if entry.link else -(-len(entry.data) // _KIB) for entry in entries]
    return sum(sizes) + len(layout.folders(entries)) + 1


def control_files(inputs: Inputs, entries: list[Entry], fields: dict[str, str]) -> dict[str, bytes]:
    sums = [f"{hashlib.md5(entry.data).hexdigest()}  usr/{entry.path}\n" for entry in entries if not entry.link]
    return {
        "control": layout.render(
            "debian/control", version=inputs.version, installed_kib=installed_kib(entries), **fields
        ),
        "md5sums": "".join(sums).encode("utf-8"),
        "shlibs": layout.render(
            "debian/shlibs", version=inputs.version, soname_number=inputs.soname.removeprefix("libhakmem.so.")
        ),
        "triggers": b"activate-noawait ldconfig\n",
    }


def stage(root: Path, entries: list[Entry], control: dict[str, bytes], epoch: int) -> None:
    """Writes the tree that dpkg-deb packs. Modes and times do not depend on who runs this and when."""
    files = [replace(entry, path=f"usr/{entry.path}") for entry in entries]
    files += [Entry(f"DEBIAN/{name}", data) for name, data in control.items()]
    for folder in layout.folders(files):
        (root / folder).mkdir()
    for file in files:
        path = root / file.path
        if file.link:
            path.symlink_to(file.link)
        else:
            path.write_bytes(file.data)
            path.chmod(file.mode)
        os.utime(path, (epoch, epoch), follow_symlinks=False)
    # A folder's time changes with what is put into it: innermost first.
    for folder in [*reversed(layout.folders(files)), "."]:
        (root / folder).chmod(layout.FOLDER_MODE)
        os.utime(root / folder, (epoch, epoch))


def write_package(inputs: Inputs, maintainer: str, output: Path) -> None:
    architecture = run("dpkg", "--print-architecture").strip()
    multiarch = run("dpkg-architecture", f"-a{architecture}", "-qDEB_HOST_MULTIARCH").strip()
    with tempfile.TemporaryDirectory() as folder:
        scratch, root = Path(folder) / "scratch", Path(folder) / "root"
        scratch.mkdir()
        root.mkdir()
        entries = package_entries(inputs, multiarch, maintainer, scratch)
        fields = {
            "architecture": architecture,
            "maintainer": maintainer,
            "depends": dependencies(entries, scratch),
            "recommends": _REPLAY_NEEDS,
        }
        stage(root, entries, control_files(inputs, entries, fields), inputs.epoch)
        run(
            "dpkg-deb",
            "--root-owner-group",
            "-Zxz",
            "--build",
            str(root),
            str(output.absolute()),
            environment={"SOURCE_DATE_EPOCH": str(inputs.epoch)},
        )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="deb.py", description=__doc__, allow_abbrev=False)
    layout.add_arguments(parser)
    parser.add_argument("--maintainer", required=True, help="NAME <ADDRESS>")
    parser.add_argument("--output", required=True, type=Path, help="package to write")
    parsed = parser.parse_args(arguments)
    try:
        write_package(layout.inputs_of(parsed), parsed.maintainer, parsed.output)
    except Refusal as refusal:
        print(f"deb.py: {refusal}", file=sys.stderr)
        return STATUS_REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
