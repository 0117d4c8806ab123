# SPDX-License-Identifier: MIT
"""Writes a manual page in mdoc from its template in man/, the public header, and the library's own list of options.

    HAKMEM_HELP=1 show_options 2>options.txt
    man_page.py --page hakmem.3 --header hakmem.h --options options.txt --version 0.1.0 --date 2026-11-22 --output ...

Exit status 0: the page is written. Exit status 2: standard error says what was wrong.
"""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Sequence

import jinja2

# Run as a plain script, only this folder is on the path, not the one that holds it.
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tools.dist import header_doc  # noqa: E402

STATUS_REFUSED = 2  # argparse's own status for wrong arguments.

_PAGES = ("hakmem.3", "hakmem.7")

# mandoc wants source lines of at most 80 bytes, and readers have 80 columns, of which displays lose some.
_SOURCE_COLUMNS = 78
_DISPLAY_COLUMNS = 66

_OPTION = re.compile(r"^hakmem: option: (HAKMEM_\w+) \((.*?)\): (.*)$")


class Refusal(Exception):
    """Nothing can be written; the text says why, for standard error."""


@dataclass(frozen=True)
class Option:
    name: str
    allowed: str
    meaning: str


def options_of(text: str) -> list[Option]:
    """What the library printed with HAKMEM_HELP=1."""
    matches = [(line, _OPTION.match(line)) for line in text.splitlines()]
    unknown = [line for line, match in matches if match is None]
    if unknown:
        raise Refusal(f"options: {unknown[0]!r} is no line of HAKMEM_HELP: 'hakmem: option: NAME (ALLOWED): MEANING'")
    if not matches:
        raise Refusal("options: HAKMEM_HELP=1 printed nothing")
    return [Option(*match.groups()) for _, match in matches if match]


def _escaped(text: str) -> str:
    """Words that roff takes as they stand: no escape, a minus where one is meant, names that are not marked up."""
    text = text.replace("\\", "\\e")
    text = re.sub(r"`([^`]*)`", r"\\(lq\1\\(rq", text)
    text = re.sub(r"(?<![\w-])-(?=[\w-])|(?<=\s)-(?=\s)", r"\\-", text)
    return re.sub(r"(?<=\w)\(\)", r"\\&()", text)


def _no_request(text: str) -> str:
    """No line begins as a request does."""
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.MULTILINE)


def prose(text: str) -> str:
    """Running text: each sentence begins a line, as roff wants it, and paragraphs are parted."""
    paragraphs = []
    for paragraph in text.split("\n\n"):
        sentences = re.split(r"(?<=[.?!])\s+", _escaped(paragraph))
        lines = [
            line
            for sentence in sentences
            for line in textwrap.wrap(sentence, _SOURCE_COLUMNS, break_long_words=False, break_on_hyphens=False)
        ]
        paragraphs.append(_no_request("\n".join(lines)))
    return "\n.Pp\n".join(paragraphs)


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def argument(text: str) -> str:
    """One argument of a macro."""
    return '"' + text.replace("\\", "\\e").replace('"', "\\(dq") + '"'


def _above(line: str) -> list[str]:
    """A declaration whose comment stands beside it, with the comment above it."""
    beside = re.match(r"^( *)(\S.*?) */\* (.*) \*/$", line)
    if beside is None:
        return [line]
    indent, declaration, comment = beside.groups()
    # The comment's end stays with its last word.
    lines = textwrap.wrap(
        comment + "\0*/",
        _DISPLAY_COLUMNS,
        initial_indent=indent + "/* ",
        subsequent_indent=indent + "   ",
        break_on_hyphens=False,
    )
    return [one.replace("\0", " ") for one in lines] + [indent + declaration]


def _wrapped(line: str) -> list[str]:
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.wrap(line, _DISPLAY_COLUMNS, subsequent_indent=indent + "    ", break_on_hyphens=False)


def literal(text: str) -> str:
    """Declarations as they stand, in a display; where a line is too wide for it, all comments move above."""
    lines = re.sub(r"\s*\n\s*\* ", " ", text).split("\n")
    if max(map(len, lines)) > _DISPLAY_COLUMNS:
        lines = [moved for line in lines for moved in _above(line)]
    lines = [part for line in lines for part in _wrapped(line)]
    return _no_request("\n".join(lines).replace("\\", "\\e").replace("-", "\\-"))


def render(page: str, header: header_doc.Header, options: list[Option], version: str, date: str) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "man"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
    )
    environment.filters.update(prose=prose, sentence=sentence, argument=argument, literal=literal)
    day = datetime.strptime(date, "%Y-%m-%d")
    return environment.get_template(page + ".j2").render(
        header=header, options=options, version=version, date=f"{day:%B} {day.day}, {day.year}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="man_page.py", description=__doc__.split("\n")[0], allow_abbrev=False)
    parser.add_argument("--page", required=True, choices=_PAGES)
    parser.add_argument("--header", required=True, type=Path, help="hakmem.h")
    parser.add_argument("--options", required=True, type=Path, help="what the library said with HAKMEM_HELP=1")
    parser.add_argument("--version", required=True)
    parser.add_argument("--date", required=True, help="YYYY-MM-DD")
    parser.add_argument("--output", required=True, type=Path, help="page to write")
    parsed = parser.parse_args(arguments)
    try:
        header = header_doc.parse(parsed.header.read_text(encoding="utf-8"))
        options = options_of(parsed.options.read_text(encoding="utf-8"))
        page = render(parsed.page, header, options, parsed.version, parsed.date)
        parsed.output.write_text(page, encoding="utf-8")
    except (Refusal, header_doc.HeaderError, OSError, ValueError) as error:
        print(f"man_page.py: {error}", file=sys.stderr)
        return STATUS_REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
