# SPDX-License-Identifier: MIT
"""hakmem explain: functions and lines in place of the addresses of a report."""

from __future__ import annotations

import argparse
import json
import re
import sys
from typing import Any

from tools.cli import paths, samples, symbols
from tools.cli.command import REFUSED, Command, InputError, add_format, caller_path, process_id, statuses
from tools.cli.symbols import NOTHING, Place, Symbol
from tools.cli.untrusted import printable

# "from 0x55d0c8a7e1b3: /usr/bin/true+0x11b3"
_ADDRESS = re.compile(
    r"(?P<before>.*)\b(?P<what>called|allocated|freed before|blocks?) from 0x[0-9a-f]+: "
    r"(?P<path>/.+)\+(?P<offset>0x[0-9a-f]+)$"
)
# Characters of a line that are repeated.
_LINE_MOST = 20_000
# The calls of a report of misuse are named by where they return to; leaks and the callers of an allocation, which are a
# profile's, by an address within the call.
_WITHIN_THE_CALL = ("leaks:   ", "hakmem:     ")


def _place(line: str) -> Place | None:
    found = _ADDRESS.match(line)  # at its start alone: a search would begin anew at each character of a long line
    if found is None:
        return None
    behind = not found["what"].startswith("block") and not found["before"].endswith(_WITHIN_THE_CALL)
    return Place(found["path"], int(found["offset"], 16) - behind)


def _as_json(known: tuple[Symbol, ...]) -> dict[str, Any]:
    """The function itself, and those that it was inlined in."""
    first, *others = [{"function": one.function, "file": one.file, "line": one.line} for one in known or (NOTHING,)]
    return {**first, "inlined_in": others}


def explain_lines(lines: list[str]) -> list[dict[str, Any]]:
    """Each line, with what stands at its address."""
    places = [_place(line) for line in lines]
    known = symbols.resolve_all(place for place in places if place)
    return [{"text": line, **_as_json(known[place] if place else ())} for line, place in zip(lines, places)]


def _named(one: dict[str, Any]) -> str:
    """ "" where nothing is known."""
    where = f" at {one['file']}:{one['line']}" if one["file"] else ""
    return f"{one['function'] or '??'}{where}" if one["function"] or where else ""


def _print_lines(explained: list[dict[str, Any]]) -> None:
    for one in explained:
        print(printable(one["text"].expandtabs(), _LINE_MOST))
        if _named(one):
            print(f"    {_named(one)}")
        for other in one["inlined_in"]:
            print(f"    inlined in {_named(other)}")


def explain_address(pid: int, address: int) -> dict[str, Any]:
    """What a process has there."""
    found = samples.mappings(pid)
    mapping = next((one for one in found if one.start <= address < one.end), None)
    place = paths.place_of(mapping, address, paths.root_of(pid))
    return {
        "pid": pid,
        "address": address,
        "mapping": None if mapping is None else (mapping.path or "anonymous memory"),
        "offset": address - mapping.base if mapping else None,
        **_as_json(symbols.resolve_all([place])[place] if place else ()),
    }


def _print_address(result: dict[str, Any]) -> None:
    if result["mapping"] is None:
        print(f"{result['address']:#x}: nothing is mapped there in process {result['pid']}")
        return
    names = [_named(result), *(f"inlined in {_named(one)}" for one in result["inlined_in"])]
    name = ": " + ", ".join(names) if names[0] else ""
    print(f"{result['address']:#x}: {printable(result['mapping'])}+{result['offset']:#x}{name}")


def _lines(text: bytes) -> list[str]:
    """Of a report, and of what the program itself printed beside it, in any encoding. They end by a line feed alone, since
    names of files may have all else that Python takes for their end; but a terminal puts a carriage return before it.
    """
    *lines, rest = text.decode("utf-8", "replace").split("\n")
    return [one.rstrip("\r") for one in ([*lines, rest] if rest else lines)]


def _source(text: str) -> list[str]:
    if text == "-":
        return _lines(sys.stdin.buffer.read())
    path = caller_path(text)
    try:
        is_file = path.is_file()
    except OSError as error:
        raise InputError(f"'{text}' cannot be looked at: {error.strerror}") from None
    if not is_file:
        raise InputError(f"'{text}' is neither an address with --pid, nor a file, nor - for standard input")
    return _lines(path.read_bytes())


def _address(text: str) -> int:
    if not re.fullmatch(r"(0[xX])?[0-9a-fA-F]{1,16}", text):
        raise InputError(f"'{text}' is no address: at most 16 hexadecimal digits, 0x before them or not")
    return int(text, 16)


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pid", type=process_id, metavar="PID", help="the process that ADDRESS is of")
    add_format(parser)
    parser.add_argument("what", metavar="REPORT|ADDRESS", help="a file with what hakmem said, - for standard input")


def _run(parsed: argparse.Namespace) -> int:
    if parsed.pid is not None:
        result = explain_address(parsed.pid, _address(parsed.what))
        if parsed.format == "json":
            print(json.dumps(result, indent=2))
        else:
            _print_address(result)
        return 0
    explained = explain_lines(_source(parsed.what))
    if parsed.format == "json":
        print(json.dumps(explained, indent=2))
    else:
        _print_lines(explained)
    return 0


COMMAND = Command(
    name="explain",
    summary="put functions and lines in place of a report's addresses",
    description="Repeats what hakmem said of a misuse or of leaks and puts function, file and line behind each address,\n"
    "as far as the files that are named have symbols. With --pid: what stands at one address of a running program.\n\n"
    + statuses(
        f"0; 1 where addr2line is missing or something else failed; {REFUSED} where there is no such file or process, it is "
        "another user's, or the arguments are wrong"
    ),
    configure=_configure,
    run=_run,
)
