# SPDX-License-Identifier: MIT
"""What ships and what measures depends on no test; the command hakmem imports no module of the bench; and within the
bench, imports lead down the table of bench/README.md.

What C files include is the business of hakmem's own test.
"""

from __future__ import annotations

import ast
import re
import unittest
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).parents[2]

_CARRIED = {"//bench/trace:librecorder.so", "//bench/trace:replay"}
"""Programs, not modules, that the command starts and its packages hold."""


def layers(readme: str) -> list[str]:
    """The packages of the table's first column, the lowest first: "| `bench/engine` | ..."."""
    return [
        name.replace("/", ".")
        for name in re.findall(r"^\| `((?:bench|tools/measure)[a-z0-9_/]*)` \|", readme, re.MULTILINE)
    ]


def imported(source: str) -> Iterator[str]:
    """The modules, as far as the text says: "bench.lab.plan" of `from bench.lab import plan`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _layer(module: str, order: list[str]) -> str:
    """The longest package of the table that the module is in; else its first folder."""
    inside = [name for name in order if module == name or module.startswith(name + ".")]
    return max(inside, key=len, default=module.partition(".")[0])


def wrong_imports(module: str, source: str, order: list[str]) -> list[str]:
    """A line for each import that leads where the module may not."""
    own = _layer(module, order)
    said = []
    for name in imported(source):
        other = _layer(name, order)
        is_up = own in order and other in order and order.index(other) > order.index(own)
        if (
            other == "tests"
            or is_up
            or (own in ("tools", "tools.measure") and other.startswith("bench"))
            or (own == "tools.measure" and other == "tools")
        ):
            said.append(f"{module} imports {name}")
    return said


def wrong_labels(package: str, text: str) -> list[str]:
    """A line for each target of a BUILD file that depends on tests without being one, or, of tools, on the bench."""
    said = []
    for call in ast.walk(ast.parse(text)):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            continue
        words = {keyword.arg: keyword.value for keyword in call.keywords}
        if "name" not in words or call.func.id.endswith("_test") or "testonly" in words:
            continue
        strings = [
            node.value
            for key, value in words.items()
            if key != "visibility"
            for node in ast.walk(value)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        for label in strings:
            if label.startswith("//tests"):
                said.append(f"//{package}: {call.func.id} depends on {label}")
            if package.startswith("tools") and label.startswith("//bench") and label not in _CARRIED:
                said.append(f"//{package}: {call.func.id} depends on {label}")
    return said


class ArrowsTest(unittest.TestCase):
    def setUp(self) -> None:
        self.order = layers((_ROOT / "bench/README.md").read_text(encoding="utf-8"))

    def modules(self) -> dict[str, Path]:
        files = [path for top in ("bench", "tools") for path in (_ROOT / top).rglob("*.py")]
        return {
            str(path.relative_to(_ROOT).with_suffix("")).replace("/", "."): path
            for path in files
            if path.name != "__init__.py"
        }

    def test_the_table_names_every_package(self) -> None:
        packages = {
            module.rpartition(".")[0] for module in self.modules() if module.startswith(("bench.", "tools.measure."))
        }
        inside = [package for package in packages if _layer(package, self.order) in self.order]
        self.assertEqual(sorted(inside), sorted(packages))
        self.assertEqual(sorted(set(self.order) - packages), [])

    def test_imports_lead_down(self) -> None:
        modules = self.modules()
        self.assertGreater(len(modules), 100)
        said = [
            line for name, path in modules.items() for line in wrong_imports(name, path.read_text("utf-8"), self.order)
        ]
        self.assertEqual(said, [])

    def test_targets_depend_on_no_test(self) -> None:
        builds = [path for top in ("bench", "hakmem", "tools") for path in (_ROOT / top).rglob("BUILD")]
        self.assertGreater(len(builds), 8)
        said = [
            line
            for path in builds
            for line in wrong_labels(str(path.parent.relative_to(_ROOT)), path.read_text(encoding="utf-8"))
        ]
        self.assertEqual(said, [])

    def test_what_is_wrong_is_found(self) -> None:
        for module, source in {
            "bench.engine.grid": "from bench.lab import plan",
            "bench.programs.workloads.runner": "from bench.programs.tables import means",
            "bench.lab.plan": "from tests.preload.programs import check",
            "tools.cli.main": "import bench.engine.worker",
            "tools.measure.rounds": "def late():\n    from tools.cli import show",
        }.items():
            self.assertEqual(len(wrong_imports(module, source, self.order)), 1, module)
        self.assertEqual(wrong_imports("bench.lab.plan", "from bench.engine import grid", self.order), [])
        target = 'py_library(name = "x", deps = ["%s"])'
        self.assertEqual(len(wrong_labels("bench/lab", target % "//tests/stats:observed")), 1)
        self.assertEqual(len(wrong_labels("tools/cli", target % "//bench/engine")), 1)
        self.assertEqual(wrong_labels("tools/cli", target % "//bench/trace:replay"), [])
        self.assertEqual(wrong_labels("bench", 'cc_test(name = "x", deps = ["//tests/harness"])'), [])


if __name__ == "__main__":
    unittest.main()
