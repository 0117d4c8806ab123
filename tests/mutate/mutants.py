# SPDX-License-Identifier: MIT
"""Where a source file can be changed so that it means something else: sites on clang's syntax tree, and what each becomes.

A mutant is one change of one place. Places in assertions are left out, since those hold in every state that is right; so are
bodies of macros, which stand in other files; and the border of a comparison that picks one of two values which are equal there,
as in a < b ? a : b, since it says the same either way.
"""

from __future__ import annotations

import bisect
import collections
import dataclasses
import json
import re
import subprocess
from pathlib import Path
from typing import Any, Iterator, Sequence

KINDS = ("operator", "boundary", "negated", "constant", "removed", "order")

_OPERATORS = {
    "==": "!=",
    "!=": "==",
    "+": "-",
    "-": "+",
    "*": "+",
    "/": "*",
    "%": "+",
    "<<": ">>",
    ">>": "<<",
    "&": "|",
    "|": "&",
    "^": "&",
    "&&": "||",
    "||": "&&",
    "+=": "-=",
    "-=": "+=",
    "|=": "&=",
    "&=": "|=",
    "^=": "&=",
    "<<=": ">>=",
    ">>=": "<<=",
    "*=": "+=",
    "/=": "*=",
    "++": "--",
    "--": "++",
}
_BOUNDARIES = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}

# hakmem/base/atomic.h names the order; tests/mutate/weaker.h has the weaker ones that hakmem does not need.
_WEAKER = {
    "hak_load_acquire": "hak_load_relaxed",
    "hak_load_seq_cst": "hak_load_acquire",
    "hak_store_release": "hak_store_relaxed",
    "hak_exchange_seq_cst": "hak_exchange_acq_rel",
    "hak_exchange_acquire": "weaker_exchange_relaxed",
    "hak_exchange_acq_rel": "weaker_exchange_relaxed",
    "hak_fetch_or_release": "weaker_fetch_or_relaxed",
    "hak_fetch_or_acq_rel": "hak_fetch_or_release",
    "hak_fetch_add_seq_cst": "hak_fetch_add_acq_rel",
    "hak_fetch_add_acq_rel": "hak_fetch_add_relaxed",
    "hak_compare_exchange_acq_rel": "weaker_compare_exchange_relaxed",
    "hak_compare_exchange_seq_cst": "hak_compare_exchange_acq_rel",
    "hak_fence_release": "weaker_no_fence",
    "hak_fence_acquire": "weaker_no_fence",
}

_ASSERTION = re.compile(r"\b(?:HAK_ASSERT|HAK_ASSERT_SLOW|HAK_STATIC_ASSERT)\s*\(")
_LITERAL = re.compile(r"(0[xX][0-9a-fA-F]+|[0-9]+)([uUlL]*)")
_EXPECTED_EQUALITY = re.compile(r"HAK_(?:UN)?LIKELY\((?:[^=!&|]+[=!]=[^=!&|]+|!\w+)\)")
_ASSIGNED = re.compile(r"\{?([^=;{}]+)=([^=;{}]+);?\}?")
_EFFECTS = ("CallExpr", "AtomicExpr", "CompoundAssignOperator", "StmtExpr")


@dataclasses.dataclass(frozen=True)
class Mutant:
    path: str
    function: str  # "" outside of functions
    kind: str
    begin: int  # bytes begin to end of the file become `text`
    end: int
    text: str
    line: int  # from 1
    before: str  # the line, and what becomes of it, both without indentation
    after: str
    occurrence: int = 1  # among those of the function that read the same

    @property
    def key(self) -> str:
        """The same as long as the line and its function's name are."""
        again = f" #{self.occurrence}" if self.occurrence > 1 else ""
        return f"{self.path} {self.function or '-'}{again}: {self.before} => {self.after}"

    def apply(self, source: str) -> str:
        return source[: self.begin] + self.text + source[self.end :]


@dataclasses.dataclass(frozen=True)
class _Place:
    begin: int
    end: int


class _Tree:
    """A tree as clang writes it: a file's name stands only where it is another than that of the location before."""

    def __init__(self, root: dict[str, Any], path: str, source: str):
        self._path = path
        self._source = source
        self._file = ""
        self.functions: list[tuple[_Place, str]] = []
        self.nodes: list[tuple[dict[str, Any], _Place]] = []
        self._visit(root)

    def _location(self, location: dict[str, Any]) -> tuple[int, int] | None:
        """Offset and length of the token in the file; None where it is in another one, or in a macro's body."""
        if "spellingLoc" in location:
            spelled = self._location(location["spellingLoc"])
            expanded = self._location(location["expansionLoc"])
            is_argument = location["expansionLoc"].get("isMacroArgExpansion", False)
            return spelled if is_argument and spelled is not None else expanded
        if "file" in location:
            self._file = location["file"].removeprefix("./")
        if "offset" not in location or self._file != self._path:
            return None
        return location["offset"], location["tokLen"]

    def _place(self, extent: dict[str, Any]) -> _Place | None:
        begin, end = self._location(extent.get("begin", {})), self._location(extent.get("end", {}))
        if begin is None or end is None:
            return None
        last = end[0] + end[1]
        # What ends in a macro's body ends where its call does.
        if "spellingLoc" in extent["end"] and self._source[last : last + 1] == "(":
            if re.fullmatch(r"\w+", self._source[end[0] : last]):
                last = closing(self._source, last)
        return _Place(begin[0], last)

    def _visit(self, node: dict[str, Any]) -> None:
        if "loc" in node:
            self._location(node["loc"])
        place = self._place(node["range"]) if "range" in node else None
        if place is not None and "kind" in node:
            node["_place"] = place
            self.nodes.append((node, place))
            if node["kind"] == "FunctionDecl" and any(
                one.get("kind") == "CompoundStmt" for one in node.get("inner", [])
            ):
                self.functions.append((place, node["name"]))
        for key in ("inner", "array_filler"):
            for child in node.get(key, []):
                if isinstance(child, dict):
                    self._visit(child)


def closing(source: str, opening: int) -> int:
    """The offset behind the parenthesis that closes the one at `opening`."""
    depth = 0
    for offset in range(opening, len(source)):
        depth += {"(": 1, ")": -1}.get(source[offset], 0)
        if depth == 0:
            return offset + 1
    return len(source)


def _literal(text: str) -> str | None:
    match = _LITERAL.fullmatch(text)
    if match is None:
        return None
    is_decimal = match[1] == "0" or not match[1].startswith("0")
    return (f"{int(match[1]) + 1}" if is_decimal else f"{int(match[1], 16) + 1:#x}") + match[2]


class _Finder:
    def __init__(self, path: str, source: str, tree: _Tree):
        self._path = path
        self._source = source
        self._tree = tree
        self._lines = [0] + [match.end() for match in re.finditer("\n", source)]
        self._left_out = [(match.start(), closing(source, match.end() - 1)) for match in _ASSERTION.finditer(source)]
        self._found: dict[tuple[int, int, str], Mutant] = {}
        self._same_at_border: set[int] = set()  # where an operator begins

    def find(self) -> list[Mutant]:
        for node, _ in self._tree.nodes:
            self._look_at_choice(node)
        for node, place in self._tree.nodes:
            self._look_at(node, place)
        for place, _ in self._tree.functions:
            for match in re.finditer(r"\bhak_\w+(?=\()", self._source[place.begin : place.end]):
                if match[0] in _WEAKER:
                    self._add("order", place.begin + match.start(), place.begin + match.end(), _WEAKER[match[0]])
        seen: collections.Counter[str] = collections.Counter()
        found = []
        for mutant in sorted(self._found.values(), key=lambda one: (one.begin, one.end, one.text)):
            seen[mutant.key] += 1
            found.append(dataclasses.replace(mutant, occurrence=seen[mutant.key]))
        return found

    def _function(self, offset: int) -> str:
        return next((name for place, name in self._tree.functions if place.begin <= offset < place.end), "")

    def _add(self, kind: str, begin: int, end: int, text: str) -> None:
        source = self._source
        if any(first <= begin < last for first, last in self._left_out) or source[begin:end] == text:
            return
        number = bisect.bisect_right(self._lines, begin)
        last = source.find("\n", end)
        first = self._lines[number - 1]
        before, after = source[first:last], source[first:begin] + text + source[end:last]
        mutant = Mutant(
            self._path,
            self._function(begin),
            kind,
            begin,
            end,
            text,
            number,
            " ".join(before.split()),
            " ".join(after.split()),
        )
        self._found.setdefault((begin, end, text), mutant)

    def _text(self, node: dict[str, Any]) -> str:
        """Without what does not matter to its meaning."""
        place = node.get("_place", _Place(0, 0))
        text = re.sub(r"\s+", "", self._source[place.begin : place.end])
        return text[1:-1] if text.startswith("(") and closing(text, 0) == len(text) else text

    def _look_at_choice(self, node: dict[str, Any]) -> None:
        """Notes a comparison of two values of which the larger or the smaller is chosen, or their difference or 0."""
        children = [one for one in node.get("inner", []) if one]
        if node["kind"] not in ("ConditionalOperator", "IfStmt") or len(children) not in (2, 3):
            return
        compared = [one for one in children[0].get("inner", []) if one]
        if children[0]["kind"] != "BinaryOperator" or children[0]["opcode"] not in _BOUNDARIES or len(compared) != 2:
            return
        left, right = map(self._text, compared)
        first, last = self._text(children[1]), self._text(children[2]) if len(children) == 3 else ""
        if node["kind"] == "ConditionalOperator":
            differences = {f"{left}-{right}", f"{right}-{left}"}
            is_same = {first, last} == {left, right} or ("0" in (first, last) and {first, last} & differences != set())
        else:
            assigned = _ASSIGNED.fullmatch(first) if last == "" else None
            is_same = assigned is not None and {assigned[1], assigned[2]} == {left, right}
        if is_same and "_place" in compared[0] and "_place" in compared[1]:
            begin, end = compared[0]["_place"].end, compared[1]["_place"].begin
            opcode = children[0]["opcode"]
            self._same_at_border.add(begin + max(self._source[begin:end].find(opcode), 0))

    def _look_at(self, node: dict[str, Any], place: _Place) -> None:
        kind = node["kind"]
        children = [one for one in node.get("inner", []) if one]
        if kind in ("BinaryOperator", "CompoundAssignOperator"):
            self._operator(node["opcode"], children)
        elif kind == "UnaryOperator":
            self._unary(node["opcode"], place)
        elif kind == "IntegerLiteral":
            self._constant(place)
        elif kind in ("IfStmt", "WhileStmt", "ConditionalOperator"):
            self._condition(children[0])
        elif kind == "ForStmt" and len(node["inner"]) == 5 and node["inner"][2]:
            self._condition(node["inner"][2])
        elif kind == "DoStmt":
            self._condition(children[1])
        if kind in ("CompoundStmt", "IfStmt", "ForStmt", "WhileStmt", "CaseStmt"):
            # The first child of a condition is no statement.
            for child in children if kind == "CompoundStmt" else children[1:]:
                self._statement(child)

    def _operator(self, opcode: str, children: Sequence[dict[str, Any]]) -> None:
        if len(children) != 2 or any("_place" not in one for one in children):
            return
        begin, end = children[0]["_place"].end, children[1]["_place"].begin
        between = self._source[begin:end]
        if between.strip() != opcode:
            return
        begin += between.index(opcode)
        if opcode in _BOUNDARIES and begin not in self._same_at_border:
            self._add("boundary", begin, begin + len(opcode), _BOUNDARIES[opcode])
        elif opcode in _OPERATORS:
            self._add("operator", begin, begin + len(opcode), _OPERATORS[opcode])

    def _unary(self, opcode: str, place: _Place) -> None:
        text = self._source[place.begin : place.end]
        if opcode in ("!", "~", "-") and text.startswith(opcode):
            self._add("operator", place.begin, place.begin + 1, "")
        elif opcode in ("++", "--"):
            at = place.begin if text.startswith(opcode) else place.end - 2
            if self._source[at : at + 2] == opcode:
                self._add("operator", at, at + 2, _OPERATORS[opcode])

    def _constant(self, place: _Place) -> None:
        text = self._source[place.begin : place.end]
        if text in ("true", "false"):
            self._add("constant", place.begin, place.end, "false" if text == "true" else "true")
        else:
            changed = _literal(text)
            if changed is not None:
                self._add("constant", place.begin, place.end, changed)

    def _condition(self, node: dict[str, Any]) -> None:
        if "_place" not in node:
            return
        # These say the same by another operator.
        if node["kind"] == "BinaryOperator" and node["opcode"] in ("==", "!="):
            return
        if node["kind"] == "UnaryOperator" and node["opcode"] == "!":
            return
        place = node["_place"]
        text = self._source[place.begin : place.end]
        if not _EXPECTED_EQUALITY.fullmatch(text):
            self._add("negated", place.begin, place.end, f"!({text})")

    def _statement(self, node: dict[str, Any]) -> None:
        kind = node.get("kind", "")
        if "_place" not in node:
            return
        place = node["_place"]
        while kind in ("ParenExpr", "ImplicitCastExpr", "CStyleCastExpr", "ExprWithCleanups"):
            node = node["inner"][0]
            kind = node.get("kind", "")
        is_effect = (
            kind in _EFFECTS
            or (kind == "BinaryOperator" and node["opcode"] in ("=", ","))
            or (kind == "UnaryOperator" and node["opcode"] in ("++", "--"))
            or (kind == "ReturnStmt" and not node.get("inner"))
            or kind in ("BreakStmt", "ContinueStmt")
        )
        if is_effect and self._source[place.end : place.end + 1] == ";":
            self._add("removed", place.begin, place.end, "")


def find(path: str, root: Path, compile_flags: Sequence[str]) -> list[Mutant]:
    """All mutants of the file, in the order of its text. `path` is relative to `root`."""
    source = (root / path).read_text(encoding="ascii")
    dumped = subprocess.run(
        ["clang", "-fsyntax-only", "-w", "-Xclang", "-ast-dump=json", *compile_flags, path],
        cwd=root,
        stdout=subprocess.PIPE,
        check=True,
    )
    return _Finder(path, source, _Tree(json.loads(dumped.stdout), path, source)).find()


def of_kinds(mutants: Sequence[Mutant], kinds: Sequence[str]) -> Iterator[Mutant]:
    return (one for one in mutants if one.kind in kinds)
