# SPDX-License-Identifier: MIT
"""hakmem.h taken apart: its sections, and in each the comments with what they speak of.

The header is the contract; the manual page repeats it and adds nothing. What this reads is the header's own habit: a
banner comment opens a section, blank lines part stanzas, a stanza is a comment and then declarations.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field


class HeaderError(Exception):
    """The header is written in a way that this does not know; the text says where and what is known."""


@dataclass(frozen=True)
class Function:
    result: str
    name: str
    parameters: tuple[str, ...]


@dataclass(frozen=True)
class Stanza:
    text: str
    """The comment, its lines joined; "" where there is none. A blank line parts paragraphs."""
    functions: tuple[Function, ...]
    types: str
    """Whatever else is declared, as it stands; "" where there is nothing."""


@dataclass
class Section:
    title: str
    stanzas: list[Stanza] = field(default_factory=list)


@dataclass(frozen=True)
class Header:
    text: str
    """The comment at the top."""
    sections: tuple[Section, ...]

    def functions(self) -> list[Function]:
        return [one for section in self.sections for stanza in section.stanzas for one in stanza.functions]


_TOP = re.compile(r"\A(/\*.*?\*/)", re.DOTALL)
_BODY = re.compile(r'extern "C" \{\n#endif\n(.*)#ifdef __cplusplus\n\}', re.DOTALL)
_BANNER = re.compile(r"^/\* -+ (.*?) -+ \*/$", re.MULTILINE)
_COMMENT = re.compile(r"\A/\*.*?\*/\n?", re.DOTALL)
# Parameters may be pointers to functions: parentheses of their own, one level deep.
_PROTOTYPE = re.compile(
    r"^HAK_API\s+(?P<result>[^;{]*?)(?P<name>hak_\w+)\s*" r"\((?P<parameters>(?:[^();]|\([^()]*\))*)\)\s*;[ \t]*\n?",
    re.MULTILINE,
)
_COMMA_OUTSIDE = re.compile(r",(?![^()]*\))")


def comment_text(comment: str) -> str:
    """The words of a comment: lines of a paragraph joined, paragraphs parted by a blank line."""
    inside = comment.strip().removeprefix("/*").removesuffix("*/")
    lines = [re.sub(r"^\s*\*( |$)", "", line).strip() for line in inside.split("\n")]
    paragraphs = "\n".join(lines).strip().split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _function(match: re.Match[str]) -> Function:
    parameters = tuple(_one_line(one) for one in _COMMA_OUTSIDE.split(match["parameters"]))
    return Function(_one_line(match["result"]), match["name"], parameters)


def _stanzas(text: str) -> list[str]:
    """Parts of a section between blank lines; a blank line inside of a comment or of braces parts nothing."""
    parts: list[str] = []
    current: list[str] = []
    inside_comment, depth = False, 0
    for line in text.split("\n"):
        if line.strip() == "" and not inside_comment and depth == 0:
            parts.append("\n".join(current))
            current = []
            continue
        current.append(line)
        outside = re.sub(r"/\*.*?\*/", "", line)
        inside_comment = "/*" in outside or (inside_comment and "*/" not in outside)
        if not inside_comment:
            depth += outside.count("{") - outside.count("}")
    parts.append("\n".join(current))
    return [part for part in parts if part.strip()]


def _stanza(text: str) -> Stanza:
    comment = _COMMENT.match(text)
    code = text[comment.end() :] if comment else text
    functions = tuple(_function(match) for match in _PROTOTYPE.finditer(code))
    types = _PROTOTYPE.sub("", code).strip("\n")
    if re.search(r"\bHAK_API\b", types) and not types.startswith("#define HAK_API"):
        raise HeaderError(f"{_one_line(types)!r} is no function that this can read: HAK_API RESULT hak_NAME(...);")
    return Stanza(comment_text(comment.group()) if comment else "", functions, types)


def parse(text: str) -> Header:
    top, body = _TOP.match(text), _BODY.search(text)
    if top is None:
        raise HeaderError("no comment at the top of the header")
    if body is None:
        raise HeaderError('nothing between extern "C" { and its end')
    titles = _BANNER.split(body.group(1))
    sections = [Section(title) for title in titles[1::2]]
    if not sections:
        raise HeaderError("no section: /* ---- TITLE ---- */")
    for section, content in zip(sections, titles[2::2]):
        section.stanzas += [_stanza(part) for part in _stanzas(content)]
    return Header(comment_text(top.group()), tuple(sections))
