# SPDX-License-Identifier: MIT
"""Which lines and branches of the allocator its tests in C reach, by gcov, over the builds without guard, exact and full.

    bazel run //tests/coverage                           a table, and status 1 below 95 % of the lines
    bazel run //tests/coverage -- --guard=off --missed   one build, and each line that it never reaches
    bazel run //tests/coverage -- --file=region/kept.c --missed

What counts is what a process that ends by exit has reached: a child that is killed, as it has to be where a report is the test,
writes nothing down. hakmem/preload and the fake of the system layer are not linked here.

Exit status 0: at least --least per cent of the lines were reached. 1: fewer, or a test failed. 2: wrong arguments.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import dataclasses
import itertools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Iterable, Sequence

# Run as a plain script, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.mutate import workshop  # noqa: E402
from tests.mutate.build_files import Test  # noqa: E402
from tests.mutate.workshop import Flavour, Program, Workshop  # noqa: E402

STATUS_USAGE = 2
GUARDS = ("off", "exact", "full")
_MOST_SECONDS = 900.0


@dataclasses.dataclass
class Reached:
    """Of one file: how often each line ran in the build that ran it most, and each branch of it."""

    lines: dict[int, int] = dataclasses.field(default_factory=dict)
    branches: dict[tuple[int, int], int] = dataclasses.field(default_factory=dict)

    def add(self, line: dict[str, Any]) -> None:
        number = line["line_number"]
        self.lines[number] = max(self.lines.get(number, 0), line["count"])
        for index, branch in enumerate(line["branches"]):
            key = (number, index)
            self.branches[key] = max(self.branches.get(key, 0), branch["count"])

    @property
    def missed(self) -> list[int]:
        return sorted(number for number, count in self.lines.items() if count == 0)


def ranges(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """First and last of each run of numbers that follow each other."""
    found = []
    for _, run in itertools.groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        members = [number for _, number in run]
        found.append((members[0], members[-1]))
    return found


def read_gcov(text: str, found: dict[str, Reached]) -> None:
    """Adds what gcov says of one object, a JSON object a line; files outside of hakmem/ do not count."""
    for line in text.splitlines():
        for one in json.loads(line)["files"] if line.strip() else ():
            if one["file"].startswith("hakmem/"):
                for of_line in one["lines"]:
                    found[one["file"]].add(of_line)


def percent(part: int, whole: int) -> float:
    return 100.0 * part / max(whole, 1)


def table(found: dict[str, Reached]) -> list[str]:
    folders: dict[str, list[Reached]] = collections.defaultdict(list)
    for path, reached in sorted(found.items()):
        folders["/".join(path.split("/")[:2])].append(reached)
    lines = [f"{'folder':22}{'lines':>7}{'reached':>9}{'branches':>10}{'reached':>9}"]
    for name, files in [*folders.items(), ("all", list(found.values()))]:
        counts = [count for one in files for count in one.lines.values()]
        branches = [count for one in files for count in one.branches.values()]
        by_line = percent(sum(count > 0 for count in counts), len(counts))
        by_branch = percent(sum(count > 0 for count in branches), len(branches))
        lines.append(f"{name:22}{len(counts):7}{by_line:8.1f}%{len(branches):10}{by_branch:8.1f}%")
    return lines


def missed_lines(found: dict[str, Reached], root: Path) -> list[str]:
    said = []
    for path, reached in sorted(found.items()):
        source = (root / path).read_text(encoding="utf-8").splitlines()
        for first, last in ranges(reached.missed):
            said.append(f"{path}:{first}{f'-{last}' if last > first else ''}: {source[first - 1].strip()}")
    return said


class Coverage:
    def __init__(self, shop: Workshop):
        self.shop = shop
        self.failed: list[str] = []

    def _run(self, flavour: Flavour, program: Program, path: Path, test: Test) -> None:
        with workshop.scratch_folder(self.shop.folder) as scratch:
            done = self.shop.run(test, path, scratch, _MOST_SECONDS, _MOST_SECONDS)
        if done.status != "passed":
            self.failed.append(f"{flavour.guard} {test.label} {done.status}")

    def measure(self, guard: str, wanted: str) -> None:
        """Runs the tests of one build; what they reach is written beside its objects."""
        flavour = Flavour(f"coverage_{guard}", guard, False, ("--coverage", "-fprofile-update=atomic"))
        programs = self.shop.programs(flavour)
        labels = [test.label for program in programs for test in program.tests if wanted in test.label]
        self.shop.prepare(flavour, labels)
        with concurrent.futures.ThreadPoolExecutor(self.shop.jobs) as pool:
            waiting = []
            for program in programs:
                tests = [test for test in program.tests if test.label in labels]
                path = self.shop.folder / flavour.name / program.name
                if tests:
                    self.shop.link(flavour, program, path)
                waiting += [pool.submit(self._run, flavour, program, path, test) for test in tests]
            for one in waiting:
                one.result()

    def read(self, guards: Iterable[str]) -> dict[str, Reached]:
        found: dict[str, Reached] = collections.defaultdict(Reached)
        for guard in guards:
            folder = self.shop.folder / f"coverage_{guard}" / "hakmem"
            for notes in sorted(folder.rglob("*.gcno")):
                done = subprocess.run(
                    ["gcov", "--json-format", "--stdout", "--branch-probabilities", str(notes)],
                    cwd=self.shop.root,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    encoding="utf-8",
                    check=True,
                )
                read_gcov(done.stdout, found)
        return found


def run(options: argparse.Namespace, root: Path, folder: Path) -> int:
    coverage = Coverage(Workshop(root, folder, options.jobs))
    guards = options.guard or GUARDS
    for guard in guards:
        coverage.measure(guard, options.test)
    found = {path: one for path, one in coverage.read(guards).items() if options.file in path}
    print("\n".join(table(found)))
    if options.missed:
        print("\n".join(missed_lines(found, root)))
    for one in coverage.failed:
        print(f"coverage: failed: {one}", file=sys.stderr)
    counts = [count for one in found.values() for count in one.lines.values()]
    reached = percent(sum(count > 0 for count in counts), len(counts))
    return 0 if not coverage.failed and reached >= options.least else 1


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="coverage", description="which lines of the allocator its tests reach")
    parser.add_argument("--guard", action="append", choices=GUARDS, help="only the tests of this build; all without")
    parser.add_argument("--file", default="", help="only files whose path contains this text")
    parser.add_argument("--test", default="", help="only tests whose label contains this text")
    parser.add_argument("--missed", action="store_true", help="prints each line that no test reaches")
    parser.add_argument("--least", type=float, default=95.0, help="per cent of the lines that are to be reached (95)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at a time (one a processor)")
    parser.add_argument("--folder", type=Path, help="keeps what was compiled and reached, for the next run")
    options = parser.parse_args(arguments)
    if options.jobs < 1:
        parser.error("--jobs is a number from 1 on")
    root = Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", os.getcwd()))
    if not (root / "hakmem/slab").is_dir():
        print(f"coverage: {root} has no hakmem/slab; run it by bazel run //tests/coverage", file=sys.stderr)
        return STATUS_USAGE
    if options.folder:
        return run(options, root, options.folder.absolute())
    with tempfile.TemporaryDirectory(prefix="hakmem-coverage-", ignore_cleanup_errors=True) as folder:
        return run(options, root, Path(folder))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
