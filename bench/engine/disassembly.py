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

# Machine of the ELF header -> its objdump: Debian's own knows one processor.
_OBJDUMPS = {183: "aarch64-linux-gnu-objdump", 243: "riscv64-linux-gnu-objdump"}
_MACHINE_AT = 18  # in the file, two bytes
_FORMAT = re.compile(r"file format elf64-(\S+)")

_ARM64_BRANCHES = frozenset({"cbz", "cbnz", "tbz", "tbnz"})
_ARM64_CALLS = frozenset({"bl", "blr", "blraa", "blrab", "blraaz", "blrabz"})
_ARM64_JUMPS = frozenset({"b", "br", "braa", "brab", "braaz", "brabz"})
_RISCV_CALLS = frozenset({"call", "jal", "jalr"})
_RISCV_JUMPS = frozenset({"j", "jr", "tail"})


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


def _jump_kind(text: str, function: str) -> Kind:
    """Of an unconditional jump."""
    target = _TARGET.search(text)
    # A computed jump has no target in its text; as compilers use it here it leaves the function.
    inside = target is not None and _COLD_PART.sub("", target[1]) == _COLD_PART.sub("", function)
    return Kind.PLAIN if inside else Kind.TAIL_CALL


def _kind_of_arm64(text: str, function: str) -> Kind:
    mnemonic = text.split()[0] if text else ""
    if mnemonic.startswith(("b.", "bc.")) or mnemonic in _ARM64_BRANCHES:
        return Kind.BRANCH
    if mnemonic in _ARM64_CALLS:
        return Kind.CALL
    if mnemonic in ("ret", "retaa", "retab"):
        return Kind.RETURN
    return _jump_kind(text, function) if mnemonic in _ARM64_JUMPS else Kind.PLAIN


def _kind_of_riscv(text: str, function: str) -> Kind:
    mnemonic = text.split()[0] if text else ""
    if mnemonic in _RISCV_CALLS:
        return Kind.CALL
    if mnemonic == "ret":
        return Kind.RETURN
    if mnemonic in _RISCV_JUMPS:
        return _jump_kind(text, function)
    # beq to bgtu, beqz to bgtz; the extensions' bclr, bext, binv and bset change bits.
    branches = mnemonic.startswith("b") and not mnemonic.startswith(("bclr", "bext", "binv", "bset"))
    return Kind.BRANCH if branches else Kind.PLAIN


def _kind_of_x86(text: str, function: str) -> Kind:
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
        return _jump_kind(text, function)
    if mnemonic.startswith("j") or mnemonic in _LOOPS:
        return Kind.BRANCH
    return Kind.PLAIN


_KINDS = {"littleaarch64": _kind_of_arm64, "littleriscv": _kind_of_riscv}


def parse(listing: str) -> Program:
    """Reads the output of `objdump -d --no-show-raw-insn`."""
    functions: dict[str, int] = {}
    instructions: dict[int, Instruction] = {}
    function = ""
    kind = _kind_of_x86
    for line in listing.splitlines():
        if form := _FORMAT.search(line):
            kind = _KINDS.get(form[1], _kind_of_x86)
        elif heading := _FUNCTION.match(line):
            function = heading[2]
            functions[function] = int(heading[1], 16)
        elif instruction := _INSTRUCTION.match(line):
            text = instruction[2].strip()
            instructions[int(instruction[1], 16)] = Instruction(kind(text, function), text)
    return Program(instructions, functions)


def disassemble(path: Path) -> Program:
    """The program in the file `path`."""
    machine = int.from_bytes(path.read_bytes()[_MACHINE_AT : _MACHINE_AT + 2], "little")
    return parse(
        process.start([valgrind.tool(_OBJDUMPS.get(machine, "objdump")), "-d", "--no-show-raw-insn", str(path)])
    )
