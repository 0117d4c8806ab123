# SPDX-License-Identifier: MIT
"""Writes hak_classes.h, the size classes as C constants, from a spec file.

    generate.py --spec specs/pow2.spec --granularity 1 --output hak_classes.h

Exit status 0: the header is written. Exit status 2: the arguments, the spec or the output are at fault, and
standard error says what. For a spec it says `path:LINE: what is wrong; what is allowed`, and an existing output
file is as it was.
"""

import argparse
import os
import re
import sys
from pathlib import Path
from typing import Optional, Sequence

# Run as a plain script, only this folder is on the path, not the one that holds it.
sys.path.insert(0, str(Path(__file__).parent.parent))

from codegen import class_header, class_spec  # noqa: E402
from codegen.class_spec import SpecError  # noqa: E402

STANDARD_OUTPUT = "-"
STATUS_REFUSED = 2  # argparse's own status for wrong arguments.


class Refusal(Exception):
    """Nothing can be written; the text says why, for standard error."""


def parse_arguments(arguments: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="generate.py", description="Writes the size classes as a C header.", allow_abbrev=False
    )
    parser.add_argument("--spec", required=True, help="spec file; its stem names the classes")
    parser.add_argument(
        "--granularity",
        required=True,
        type=int,
        choices=sorted(class_header.GRANULARITY_SHIFTS),
        help="bytes of size that one entry of the tiny table answers for",
    )
    parser.add_argument(
        "--multiple",
        default=class_spec.SIZE_MULTIPLE,
        type=int,
        choices=(class_spec.SIZE_MULTIPLE, 2 * class_spec.SIZE_MULTIPLE),
        help="leave out the classes whose size is no multiple of this (default %(default)s: none)",
    )
    parser.add_argument("--output", required=True, help="header to write, '-' for standard output")
    return parser.parse_args(arguments)


def spec_name(path: str) -> str:
    """The stem of the file's name. It lands in a C comment and a C string: neither may be ended by it."""
    name = Path(path).stem
    if not re.fullmatch("[A-Za-z0-9_.-]+", name):
        raise Refusal(f"{path}: name {name!r}; letters, digits and '_.-' are allowed")
    return name


def header_for(path: str, granularity: int, multiple: int = class_spec.SIZE_MULTIPLE) -> str:
    """Returns the header for the spec at `path`, or raises Refusal."""
    name = spec_name(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise Refusal(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise Refusal(f"{path}:{line}: not UTF-8; a spec is plain text") from error
    try:
        return class_header.render(name, text, granularity, multiple)
    except SpecError as error:
        raise Refusal(f"{path}:{error}") from error


def write_output(path: str, header: str) -> None:
    """Called with the whole header only: a refused spec never opens the output."""
    rest = header.encode()
    try:
        if path != STANDARD_OUTPUT:
            Path(path).write_bytes(rest)
            return
        # Past Python's buffer, which would report a full disk only when the interpreter ends.
        while rest:
            rest = rest[os.write(sys.stdout.fileno(), rest) :]
    except OSError as error:
        raise Refusal(f"{path}: cannot be written: {error.strerror}") from error


def main(arguments: Optional[Sequence[str]] = None) -> int:
    options = parse_arguments(arguments)
    try:
        write_output(options.output, header_for(options.spec, options.granularity, options.multiple))
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return STATUS_REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
