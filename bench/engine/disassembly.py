# SPDX-License-Identifier: MIT
"""What each instruction of a program does to the flow of control, from objdump."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from bench.engine import valgrind
from tools.measure import process

_FUNCTION = re.compile(r"^([0-9a-f]+) <([^>]+)>:$")
_INSTRUCTION = re.compile(r"^ *([0-9a-f]+):\t(.*)$")
_TARGET = re.compile(r"<([^>+]+)")
# Where gcc puts the unlikely parts of a function: still that function.
_COLD_PART = re.compile(r"\.cold(\.[0-9]+)?$")
_PREFIXES = frozenset({"bnd", "notrack", "lock", "rep", "repz", "repnz", "data16", "cs", "ds"})
_LOOPS = frozenset({"loop", "loope", "loopne", "jcxz", "jecxz", "jrcxz"})


class Kind(Enum):
    """Of an instruction."""

    PLAIN = "plain"
    BRANCH = "conditional branch"
    CALL = "call"
    TAIL_CALL = "jump into another function"
    RETURN = "return"


@dataclass(frozen=True)
class Instruction:
    kind: Kind
    text: str
    """As objdump prints it."""


@dataclass(frozen=True)
class Program:
    """A disassembled executable. Addresses are those of the file, not of a process."""

    instructions: dict[int, Instruction]
    functions: dict[str, int]
    """Name -> address of the first instruction."""


def _kind(text: str, function: str) -> Kind:
    """Classifies the instruction `text` of `function`."""
    words = text.split()
    while words and words[0] in _PREFIXES:
        words.pop(0)
    mnemonic = words[0] if words else ""
    if mnemonic.startswith("call"):
        return Kind.CALL
    if mnemonic.startswith("ret"):
        return Kind.RETURN
    if mnemonic.startswith("jmp"):
        target = _TARGET.search(text)
        # A computed jump has no target in its text; as compilers use it here it leaves the function.
        inside = target is not None and _COLD_PART.sub("", target[1]) == _COLD_PART.sub("", function)
        return Kind.PLAIN if inside else Kind.TAIL_CALL
    if mnemonic.startswith("j") or mnemonic in _LOOPS:
        return Kind.BRANCH
    return Kind.PLAIN


def parse(listing: str) -> Program:
    """Reads the output of `objdump -d --no-show-raw-insn`."""
    functions: dict[str, int] = {}
    instructions: dict[int, Instruction] = {}
    function = ""
    for line in listing.splitlines():
        if heading := _FUNCTION.match(line):
            function = heading[2]
            functions[function] = int(heading[1], 16)
        elif instruction := _INSTRUCTION.match(line):
            text = instruction[2].strip()
            instructions[int(instruction[1], 16)] = Instruction(_kind(text, function), text)
    return Program(instructions, functions)


def disassemble(path: Path) -> Program:
    """The program in the file `path`."""
    return parse(process.start([valgrind.tool("objdump"), "-d", "--no-show-raw-insn", str(path)]))
