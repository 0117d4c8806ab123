# SPDX-License-Identifier: MIT
"""A profile as a tree of calls, and what is made of it: the functions with most bytes, the tree itself, folded text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tools.measure.table import Grid
from tools.cli import show
from tools.cli.groups import Groups
from tools.cli.paths import FURTHER, Frame, Names
from tools.cli.samples import VALUES, End, Samples

Weights = Iterable[tuple[float, tuple[Frame, ...]]]
"""Values and the paths that have them, innermost function first."""

DEFAULT_VALUE = "inuse_space"

# Of a tree as text: what has less of the whole is summed up in one line.
_SHARE_LEAST = 0.005


def shown(value: float, kind: str) -> str:
    return show.number(value) if kind.endswith("objects") else show.size(value)


@dataclass
class Node:
    """A function, called by that path."""

    name: str
    place: str
    """The source file, else the program or library."""
    value: float = 0
    """Its own, and what it calls."""
    own: float = 0
    children: dict[tuple[str, str], Node] = field(default_factory=dict)

    def sorted_children(self) -> list[Node]:
        return sorted(self.children.values(), key=lambda one: (-one.value, one.name, one.place))

    def walk(self) -> Iterator[tuple[Node, int]]:
        """This one and all below, with their depths: callers before those that they call, siblings by value. No recursion:
        paths are of any length."""
        todo = [(self, 0)]
        while todo:
            node, depth = todo.pop()
            yield node, depth
            todo += [(one, depth + 1) for one in reversed(node.sorted_children())]


def key_of(frame: Frame) -> tuple[str, str]:
    """Functions are told apart by name and file: each has one node below a caller, whichever of its lines call."""
    return frame.name, frame.symbol.file or frame.module


_ENDS = tuple(frame for frames in FURTHER.values() for frame in frames)


def weighted(
    found: Samples, kind: str, groups: Groups | None = None, with_paths: bool = True
) -> Iterator[tuple[float, tuple[Frame, ...]]]:
    """The paths that have some, innermost function first. With groups the outermost caller of each is its group; without
    paths it is all of it."""
    value = VALUES[kind]
    sums: dict[tuple[tuple[int, ...], End, tuple[Frame, ...]], float] = {}
    for record in found.records:
        group: tuple[Frame, ...] = (groups.frame(record),) if groups else ()
        key = (record.path, record.end, group) if with_paths else ((), End.WHOLE, group)
        sums[key] = sums.get(key, 0) + value(record)
    paths = {key: amount for key, amount in sums.items() if amount > 0}
    names = Names(found, {address for path, _, _ in paths for address in path})
    for (path, end, group), amount in paths.items():
        yield amount, (*names.path(path, end), *group)


def grown(weights: Weights, base: Weights) -> Weights:
    """What there is more of than in the base, path by path; by functions, since addresses are others in each process."""
    sums: dict[tuple[tuple[str, str], ...], float] = {}
    paths: dict[tuple[tuple[str, str], ...], tuple[Frame, ...]] = {}
    for sign, those in ((1, weights), (-1, base)):
        for amount, path in those:
            # A file does not say of a path that there are more callers.
            key = tuple(key_of(frame) for frame in path if frame not in _ENDS)
            sums[key] = sums.get(key, 0) + sign * amount
            paths.setdefault(key, path)
    # Whole blocks or bytes grow, and sums of the same numbers in another order differ by less.
    return [(amount, paths[key]) for key, amount in sums.items() if amount >= 0.5]


def tree(weights: Weights, name: str) -> Node:
    """From the outermost functions inwards; the root stands for the process."""
    root = Node(name, "")
    for amount, path in weights:
        node = root
        node.value += amount
        for frame in reversed(path):
            key = key_of(frame)
            node = node.children.setdefault(key, Node(*key))
            node.value += amount
        node.own += amount
    return root


def folded(weights: Weights) -> list[str]:
    """A line a path, outermost function first, for flamegraph.pl and its like."""
    sums: dict[str, float] = {}
    for amount, path in weights:
        line = ";".join(frame.name.replace(";", ",") for frame in reversed(path))
        sums[line] = sums.get(line, 0) + amount
    return [f"{line} {round(amount)}" for line, amount in sorted(sums.items()) if round(amount)]


@dataclass
class Line:
    """A function of the top, by whatever path."""

    name: str
    place: str
    own: float = 0
    value: float = 0

    def as_json(self) -> dict[str, object]:
        return {"name": self.name, "place": self.place, "own": round(self.own), "value": round(self.value)}


def top(weights: Weights) -> list[Line]:
    """Most of its own first."""
    lines: dict[tuple[str, str], Line] = {}
    for amount, path in weights:
        keys = [key_of(frame) for frame in path]
        for key in dict.fromkeys(keys):  # one that calls itself counts once
            lines.setdefault(key, Line(*key)).value += amount
        lines[keys[0]].own += amount
    return sorted(lines.values(), key=lambda one: (-one.own, -one.value, one.name))


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""


def group_grid(lines: list[Line], kind: str, most: int, title: str, by: str) -> Grid:
    """Of groups, which call nobody."""
    whole = sum(line.own for line in lines)
    rows = [[line.name, shown(line.own, kind), _percent(line.own, whole)] for line in lines[:most]]
    return Grid(title, [by, kind.replace("_", " "), ""], rows, words=1)


def top_grid(lines: list[Line], kind: str, most: int, title: str) -> Grid:
    whole = sum(line.own for line in lines)
    rows = [
        [
            show.function(line.name),
            shown(line.own, kind),
            _percent(line.own, whole),
            shown(line.value, kind),
            _percent(line.value, whole),
        ]
        for line in lines[:most]
    ]
    return Grid(title, ["function", "own", "", "with callees", ""], rows, words=1)


def prune(root: Node) -> None:
    """Sums up what has little of the whole, in each node's place."""
    for node, _ in root.walk():
        small = {key: one for key, one in node.children.items() if one.value < _SHARE_LEAST * root.value}
        if small:
            name = show.counted(len(small), "function of less", "functions of less")
            value = sum(one.value for one in small.values())
            node.children = {key: one for key, one in node.children.items() if key not in small}
            node.children[name, ""] = Node(f"({name})", "", value)


def rows(root: Node) -> list[dict[str, object]]:
    """The tree flat, callers before those that they call: a path may be deeper than readers of JSON like."""
    return [
        {"depth": depth, "name": node.name, "place": node.place, "value": round(node.value)}
        for node, depth in root.walk()
    ]


def tree_grid(root: Node, kind: str, title: str) -> Grid:
    rows = [
        ["  " * (depth - 1) + show.function(node.name), shown(node.value, kind), _percent(node.value, root.value)]
        for node, depth in root.walk()
        if depth > 0
    ]
    return Grid(title, ["function", "with callees", ""], rows, words=1)
