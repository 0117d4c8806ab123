# SPDX-License-Identifier: MIT
"""C source as tokens that give back every character: enough of C to find statements and operands.

A directive of the preprocessor is one token, with the lines that it goes on over. Comments and blanks are tokens as
well, so that the texts of all tokens, one after the other, are the source.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """Of a token."""

    BLANK = "blank"
    """Spaces, ends of lines, comments."""
    DIRECTIVE = "directive"
    NAME = "name"
    """Identifiers and keywords."""
    NUMBER = "number"
    TEXT = "text"
    """Strings and characters."""
    MARK = "mark"
    """Operators and punctuation."""


@dataclass(frozen=True)
class Token:
    kind: Kind
    text: str


class NotC(Exception):
    """What cannot be read: the message says where."""


_MARKS = (
    "<<=", ">>=", "...", "->", "++", "--", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "##",
    "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=",
)  # fmt: skip

# A directive ends at an end of line that is neither escaped nor within a comment.
_DIRECTIVE = r"\#(?:\\\n|/\*(?:.|\n)*?\*/|//[^\n]*|[^\n])*"

_TOKEN = re.compile(
    "|".join(
        f"(?P<{kind.name}>{pattern})"
        for kind, pattern in {
            Kind.BLANK: r"(?:[ \t\r\n\f\v]|\\\n|/\*(?:.|\n)*?\*/|//[^\n]*)+",
            Kind.TEXT: r"(?:u8|[uUL])?(?:\"(?:\\(?:.|\n)|[^\"\\\n])*\"|'(?:\\(?:.|\n)|[^'\\\n])*')",
            Kind.NAME: r"[A-Za-z_][A-Za-z0-9_]*",
            Kind.NUMBER: r"\.?[0-9](?:[eEpP][+-]|[A-Za-z0-9_.])*",
            Kind.MARK: "|".join(re.escape(mark) for mark in _MARKS) + r"|[-+*/%&|^!~<>=?:;,.(){}\[\]]",
        }.items()
    )
)
_DIRECTIVE_START = re.compile(_DIRECTIVE)


def tokens(source: str) -> list[Token]:
    """The tokens of `source`; NotC where there is what C does not have."""
    result: list[Token] = []
    at = 0
    line_begins = True
    while at < len(source):
        if line_begins and source[at] == "#":
            found, kind = _DIRECTIVE_START.match(source, at), Kind.DIRECTIVE
        else:
            found = _TOKEN.match(source, at)
            kind = Kind[found.lastgroup] if found is not None and found.lastgroup is not None else Kind.BLANK
        if found is None:
            raise NotC(f"line {source.count(chr(10), 0, at) + 1}: {source[at : at + 20]!r} is not C")
        result.append(Token(kind, found[0]))
        line_begins = kind is Kind.BLANK and (line_begins or "\n" in found[0])
        at = found.end()
    return result


def only_lines(text: str) -> str:
    """The ends of lines in `text`: what is left where code goes, so that __LINE__ stays."""
    return "\n" * text.count("\n")
