# SPDX-License-Identifier: MIT
"""What an installation of hakmem consists of, and where each file lies: one list for the dist tree and the package.

An installation is a list of entries below a prefix, sorted by path. Nothing here touches the file system but to read
the inputs; tarball.py and deb.py write.
"""

from __future__ import annotations

import argparse
import os.path
import re
import zipfile
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import jinja2

# Libraries are no programs: nobody executes them.
FILE_MODE = 0o644
PROGRAM_MODE = 0o755
FOLDER_MODE = 0o755

# Below the prefix: the modules of the command, as its sources lie, with links to what else they look for there.
_MODULES = "share/hakmem"

_ELF_MAGIC = b"\x7fELF"
_POINTER_BYTES_OF_ELF_CLASS = {1: 4, 2: 8}


class Refusal(Exception):
    """Nothing can be written; the text says why, for standard error."""


@dataclass(frozen=True)
class Entry:
    path: str
    """Below the prefix, with '/'."""
    data: bytes = b""
    link: str = ""
    """Target, of a symbolic link only."""
    is_program: bool = False

    @property
    def mode(self) -> int:
        """Of a file."""
        return PROGRAM_MODE if self.is_program else FILE_MODE


@dataclass(frozen=True)
class Inputs:
    """What was built, as paths of files, and what version.bzl says of it."""

    shared: Path
    guard: Path
    guard_full: Path
    recorder: Path
    replay: Path
    modules: Path
    """A zip file of the command's modules, modules.py's."""
    launcher: Path
    dashboard: Path
    archive: Path
    header: Path
    man1: Path
    man3: Path
    man7: Path
    bash_completion: Path
    zsh_completion: Path
    notices: tuple[Path, ...]
    """Licence files; they are installed under their own names."""
    version: str
    soname: str
    epoch: int
    """Seconds since 1970: the time of every file."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    for name in (
        "shared",
        "guard",
        "guard-full",
        "recorder",
        "replay",
        "modules",
        "launcher",
        "dashboard",
        "archive",
        "header",
        "man1",
        "man3",
        "man7",
        "bash-completion",
        "zsh-completion",
    ):
        parser.add_argument(f"--{name}", required=True, type=Path, help=f"file that becomes the {name} of the tree")
    parser.add_argument("--notice", action="append", default=[], type=Path, help="licence file; may be repeated")
    parser.add_argument("--version", required=True, help="MAJOR.MINOR.PATCH")
    parser.add_argument("--soname", required=True, help="name that programs need the shared library by")
    parser.add_argument("--date", required=True, type=epoch_of, dest="epoch", help="YYYY-MM-DD, the time of all files")


def epoch_of(date: str) -> int:
    """Midnight, UTC, of "YYYY-MM-DD"."""
    try:
        return int(datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=timezone.utc).timestamp())
    except ValueError:
        raise argparse.ArgumentTypeError(f"{date!r} is no date; YYYY-MM-DD is allowed") from None


def inputs_of(parsed: argparse.Namespace) -> Inputs:
    return Inputs(
        shared=parsed.shared,
        guard=parsed.guard,
        guard_full=parsed.guard_full,
        recorder=parsed.recorder,
        replay=parsed.replay,
        modules=parsed.modules,
        launcher=parsed.launcher,
        dashboard=parsed.dashboard,
        archive=parsed.archive,
        header=parsed.header,
        man1=parsed.man1,
        man3=parsed.man3,
        man7=parsed.man7,
        bash_completion=parsed.bash_completion,
        zsh_completion=parsed.zsh_completion,
        notices=tuple(parsed.notice),
        version=parsed.version,
        soname=parsed.soname,
        epoch=parsed.epoch,
    )


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Refusal(f"{path}: {error.strerror}") from None


def render(template: str, **values: object) -> bytes:
    """A template of this folder, by its name without .j2."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
    )
    return environment.get_template(template + ".j2").render(values).encode("utf-8")


def configured(template: str, values: dict[str, str]) -> bytes:
    """A template of this folder in CMake's form, by its name without .in: "@HAKMEM_VERSION@" is the value of "version".

    CMake and Meson fill in the same templates where hakmem is built without Bazel.
    """
    text = (Path(__file__).parent / (template + ".in")).read_text(encoding="utf-8")
    return re.sub("@HAKMEM_([A-Z_]+)@", lambda found: values[found[1].lower()], text).encode("utf-8")


def pointer_bytes(shared: bytes, path: Path) -> int:
    if shared[:4] != _ELF_MAGIC or shared[4] not in _POINTER_BYTES_OF_ELF_CLASS:
        raise Refusal(f"{path}: not an ELF file; the shared library is wanted")
    return _POINTER_BYTES_OF_ELF_CLASS[shared[4]]


def shared_name(inputs: Inputs) -> str:
    """The file behind the links: libhakmem.so.MAJOR.MINOR.PATCH."""
    return f"libhakmem.so.{inputs.version}"


def is_dynamic(entry: Entry) -> bool:
    """Whether it is a shared library or a program of the processor's."""
    return entry.data.startswith(_ELF_MAGIC)


def _command(inputs: Inputs, libdir: str) -> list[Entry]:
    """The command hakmem: it looks for libraries and programs where the build lays them, and finds links there."""
    try:
        with zipfile.ZipFile(inputs.modules) as modules:
            found = [Entry(f"{_MODULES}/{name}", modules.read(name)) for name in modules.namelist()]
    except (OSError, zipfile.BadZipFile) as error:
        raise Refusal(f"{inputs.modules}: {error}") from None
    links = {
        "hakmem/preload/libhakmem.so": f"{libdir}/libhakmem.so",
        "hakmem/preload/libhakmem-guard.so": f"{libdir}/hakmem/libhakmem-guard.so",
        "hakmem/preload/libhakmem-guard-full.so": f"{libdir}/hakmem/libhakmem-guard-full.so",
        "bench/trace/librecorder.so": f"{libdir}/hakmem/librecorder.so",
        "bench/trace/replay": f"{libdir}/hakmem/replay",
    }
    for name, target in links.items():
        path = f"{_MODULES}/{name}"
        found.append(Entry(path, link=os.path.relpath(target, os.path.dirname(path))))
    return [
        *found,
        Entry("bin/hakmem", read(inputs.launcher), is_program=True),
        Entry(f"{_MODULES}/grafana/hakmem.json", read(inputs.dashboard)),
        Entry(f"{libdir}/hakmem/librecorder.so", read(inputs.recorder)),
        Entry(f"{libdir}/hakmem/replay", read(inputs.replay), is_program=True),
    ]


def entries(inputs: Inputs, *, prefix: str, libdir: str) -> list[Entry]:
    """The installation.

    `prefix` is what hakmem.pc says, so that ${pcfiledir} can make it relocatable; `libdir` is relative to it.
    """
    shared = read(inputs.shared)
    values = {
        "version": inputs.version,
        "series": ".".join(inputs.version.split(".")[:2]),
        "soname": inputs.soname,
        "shared_name": shared_name(inputs),
        "prefix": prefix,
        "libdir": libdir,
        "libdir_to_prefix": os.path.relpath(".", libdir),
        "pointer_bytes": str(pointer_bytes(shared, inputs.shared)),
    }
    cmake = f"{libdir}/cmake/hakmem"
    found = [
        Entry(f"{libdir}/{shared_name(inputs)}", shared),
        Entry(f"{libdir}/{inputs.soname}", link=shared_name(inputs)),
        Entry(f"{libdir}/libhakmem.so", link=inputs.soname),
        # To preload. They answer to the same soname, so they lie where ldconfig does not look: it would take one for it.
        Entry(f"{libdir}/hakmem/libhakmem-guard.so", read(inputs.guard)),
        Entry(f"{libdir}/hakmem/libhakmem-guard-full.so", read(inputs.guard_full)),
        Entry(f"{libdir}/libhakmem.a", read(inputs.archive)),
        Entry("include/hakmem/hakmem.h", read(inputs.header)),
        Entry(f"{libdir}/pkgconfig/hakmem.pc", configured("hakmem.pc", values)),
        Entry(f"{cmake}/hakmemConfig.cmake", configured("hakmemConfig.cmake", values)),
        Entry(f"{cmake}/hakmemConfigVersion.cmake", configured("hakmemConfigVersion.cmake", values)),
        Entry("share/bash-completion/completions/hakmem", read(inputs.bash_completion)),
        Entry("share/zsh/vendor-completions/_hakmem", read(inputs.zsh_completion)),
        Entry("share/man/man1/hakmem.1", read(inputs.man1)),
        Entry("share/man/man3/hakmem.3", read(inputs.man3)),
        Entry("share/man/man7/hakmem.7", read(inputs.man7)),
    ]
    found += _command(inputs, libdir)
    found += [Entry(f"share/doc/hakmem/{notice.name}", read(notice)) for notice in inputs.notices]
    return sorted(found, key=lambda entry: entry.path)


def folders(found: list[Entry]) -> list[str]:
    """Every folder that the entries lie in, outermost first."""
    return sorted({str(parent) for entry in found for parent in Path(entry.path).parents if str(parent) != "."})
