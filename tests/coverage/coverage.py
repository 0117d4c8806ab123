# SPDX-License-Identifier: MIT
"""Which lines and branches of the allocator its tests in C reach, by gcov, over the builds without guard, exact and full.

    bazel run //tests/coverage                           a table, and status 1 below 95 % of the lines
    bazel run //tests/coverage -- --guard=off --missed   one build, and each line that it never reaches
    bazel run //tests/coverage -- --file=region/kept.c --missed

What counts is what a process has reached that ends by exit, _exit, abort or raise: a child that a signal from outside ends, as
it has to be where that is the test, writes nothing down. hakmem/preload and the fake of the system layer are not linked here,
and no program of the tests in Python runs.

unreached.txt lists lines that no test here reaches, each with the reason; they count as missed all the same.

Exit status 0: at least --least per cent of the lines were reached, and with all builds and tests each line of slab, magazine,
region and huge that none reaches is listed. 1: not so, a test failed, or the list has what is reached or is no line any more.
2: wrong arguments.
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
# Where a function ends with a call, counters come behind it, so that it is no jump any more, and a call path has one more
# function.
_WITHOUT = {
    "tests/unit:test_profile": "Profile.SiteIsTheProgramsCall",
    "tests/unit:test_stack": "Stack.NamesEach*:Stack.OtherCaller*:Stack.FrameOf*",
}
UNREACHED = Path(__file__).parent / "unreached.txt"
# Where each line is reached or listed.
ROOMS = ("hakmem/slab/", "hakmem/magazine/", "hakmem/region/", "hakmem/huge/")
# A reason that begins so is of a line that some runs reach, by the order in which threads come.
BY_CHANCE = "By chance: "
_MOST_SECONDS = 900.0
_COUNTERS = ("--coverage", "-fprofile-update=atomic")
_ENDS = "tests/coverage/ends.c"
_ENDS_OPTIONS = tuple(
    f"-Wl,--wrap={name}" for name in ("_exit", "abort", "raise", "__gcov_exit", "hak_os_call_last", "hak_os_copy_end")
)


@dataclasses.dataclass
class Reached:
    """Of one file: how often each line ran in the build that ran it most, and each branch of it."""

    lines: dict[int, int] = dataclasses.field(default_factory=dict)
    branches: dict[tuple[int, int], int] = dataclasses.field(default_factory=dict)
    functions: dict[int, str] = dataclasses.field(default_factory=dict)  # of each line
    starts: dict[str, int] = dataclasses.field(default_factory=dict)  # first line of each function

    def add(self, line: dict[str, Any]) -> None:
        number = line["line_number"]
        self.lines[number] = max(self.lines.get(number, 0), line["count"])
        self.functions[number] = line.get("function_name", "-")
        for index, branch in enumerate(line["branches"]):
            key = (number, index)
            self.branches[key] = max(self.branches.get(key, 0), branch["count"])

    def add_all(self, other: Reached) -> None:
        for number, count in other.lines.items():
            self.lines[number] = max(self.lines.get(number, 0), count)
        for key, count in other.branches.items():
            self.branches[key] = max(self.branches.get(key, 0), count)
        self.functions.update(other.functions)
        self.starts.update(other.starts)

    @property
    def missed(self) -> list[int]:
        return sorted(number for number, count in self.lines.items() if count == 0)

    def key(self, path: str, number: int, source: Sequence[str]) -> str:
        """Names a line: the same as long as its text and its function's name are."""
        function, text = self.functions[number], source[number - 1].strip()
        first = self.starts.get(function, number)
        before = sum(line.strip() == text for line in source[first - 1 : number - 1])
        return f"{path} {function}{f' #{before + 1}' if before else ''}: {text}"


def listed(text: str) -> dict[str, str]:
    """Key and reason of each line of the list. Lines that are not indented are keys; those below them, indented, are the reason
    of all keys since the last reason."""
    found: dict[str, str] = {}
    keys: list[str] = []
    reason = ""
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line.startswith(" "):
            reason = f"{reason} {line.strip()}".strip()
            found.update(dict.fromkeys(keys, reason))
        else:
            if reason:
                keys, reason = [], ""
            keys.append(line.strip())
            found[line.strip()] = ""
    return found


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
                for function in one.get("functions", ()):
                    found[one["file"]].starts[function["name"]] = function["start_line"]


def percent(part: int, whole: int) -> float:
    return 100.0 * part / max(whole, 1)


def _row(name: str, files: Iterable[Reached]) -> str:
    counts = [count for one in files for count in one.lines.values()]
    branches = [count for one in files for count in one.branches.values()]
    by_line = percent(sum(count > 0 for count in counts), len(counts))
    by_branch = percent(sum(count > 0 for count in branches), len(branches))
    return f"{name:22}{len(counts):7}{by_line:8.1f}%{len(branches):10}{by_branch:8.1f}%"


def table(found: dict[str, Reached], by_guard: dict[str, dict[str, Reached]] | None = None) -> list[str]:
    folders: dict[str, list[Reached]] = collections.defaultdict(list)
    for path, reached in sorted(found.items()):
        folders["/".join(path.split("/")[:2])].append(reached)
    rows = [(name, files) for name, files in folders.items()]
    rows += [(f"guard {guard}", list(files.values())) for guard, files in (by_guard or {}).items()]
    heading = f"{'folder':22}{'lines':>7}{'reached':>9}{'branches':>10}{'reached':>9}"
    return [heading, *(_row(name, files) for name, files in [*rows, ("all", list(found.values()))])]


@dataclasses.dataclass
class Judged:
    """What the list says of what was reached."""

    missed: dict[str, list[int]]  # of each file: lines that no test reaches and the list has not
    known: list[str]  # of those that it has: where each is, and its text
    wrong: list[str]  # entries that are reached, or no lines


def judge(found: dict[str, Reached], known: dict[str, str], root: Path, is_whole: bool) -> Judged:
    """`is_whole`: all builds and all tests ran, so that each line is there."""
    judged = Judged({}, [], [])
    left = dict(known)
    for path, reached in sorted(found.items()):
        source = (root / path).read_text(encoding="utf-8").splitlines()
        unknown = []
        for number in sorted(reached.lines):
            reason = left.pop(reached.key(path, number, source), None)
            is_reached = reached.lines[number] > 0
            if reason is None and not is_reached:
                unknown.append(number)
            elif reason is not None and is_reached and not reason.startswith(BY_CHANCE):
                judged.wrong.append(f"is reached: {path}:{number}: {source[number - 1].strip()}")
            elif reason is not None and not is_reached:
                judged.known.append(f"{path}:{number}: {source[number - 1].strip()}")
        judged.missed[path] = unknown
    if is_whole:
        judged.wrong += [f"is no line of code: {key}" for key in left]
    judged.wrong += [f"has no reason: {key}" for key, reason in known.items() if not reason]
    return judged


def missed_lines(missed: dict[str, list[int]], root: Path) -> list[str]:
    said = []
    for path, numbers in sorted(missed.items()):
        source = (root / path).read_text(encoding="utf-8").splitlines()
        for first, last in ranges(numbers):
            said.append(f"{path}:{first}{f'-{last}' if last > first else ''}: {source[first - 1].strip()}")
    return said


class CountingWorkshop(Workshop):
    """Only the allocator has counters: what they add to a test's own functions is what some tests measure."""

    def compile(self, flavour: Flavour, path: str, text: str, output: Path) -> None:
        counts = path in self.sources
        super().compile(flavour if counts else dataclasses.replace(flavour, flags=()), path, text, output)

    def programs(self, flavour: Flavour) -> list[Program]:
        return [
            dataclasses.replace(
                program,
                sources=(*program.sources, _ENDS),
                link_options=(*program.link_options, *_ENDS_OPTIONS),
            )
            for program in super().programs(flavour)
        ]

    def link_alone(self, flavour: Flavour, test: Test, output: Path) -> None:
        """A test by itself, with what it names of the allocator."""
        sources = [path for path in test.sources if not path.endswith("/one_thread.c")]  # as in a shared program
        objects = [str(self.object_of(flavour, path)) for path in (*sources, _ENDS)]
        archive = output.with_suffix(".a")
        members = [str(self.object_of(flavour, path)) for path in self.sources]
        subprocess.run(["ar", "rcs", str(archive), *members], check=True)
        command = ["g++", "-fuse-ld=lld", "-pthread", *flavour.flags, "-o", str(output), *test.link_options]
        subprocess.run([*command, *_ENDS_OPTIONS, *objects, str(archive), "-lgtest", "-ldl"], cwd=self.root, check=True)
        archive.unlink()


class Coverage:
    def __init__(self, shop: CountingWorkshop):
        self.shop = shop
        self.failed: list[str] = []

    def _status(self, path: Path, test: Test) -> str:
        if test.label in _WITHOUT:
            test = dataclasses.replace(test, arguments=(*test.arguments, f"--gtest_filter=-{_WITHOUT[test.label]}"))
        with workshop.scratch_folder(self.shop.folder) as scratch:
            return self.shop.run(test, path, scratch, _MOST_SECONDS, _MOST_SECONDS).status

    def _run(self, flavour: Flavour, path: Path, test: Test) -> None:
        status = self._status(path, test)
        if status != "passed":
            # Another test's variables of each thread may need a larger stack, and tests of the system's layer are without the
            # address space that the rest of the allocator reserves when it begins.
            alone = path.with_name(f"{path.name}_{test.label.rsplit(':', 1)[-1]}")
            self.shop.link_alone(flavour, test, alone)
            status = self._status(alone, test)
        if status != "passed":
            self.failed.append(f"{flavour.guard} {test.label} {status}")

    def measure(self, guard: str, wanted: str) -> None:
        """Runs the tests of one build; what they reach is written beside its objects."""
        flavour = Flavour(f"coverage_{guard}", guard, False, _COUNTERS)
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
                waiting += [pool.submit(self._run, flavour, path, test) for test in tests]
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


def _all(by_guard: dict[str, dict[str, Reached]]) -> dict[str, Reached]:
    found: dict[str, Reached] = collections.defaultdict(Reached)
    for files in by_guard.values():
        for path, reached in files.items():
            found[path].add_all(reached)
    return found


def run(options: argparse.Namespace, root: Path, folder: Path) -> int:
    coverage = Coverage(CountingWorkshop(root, folder, options.jobs))
    guards = options.guard or list(GUARDS)
    for guard in guards:
        coverage.measure(guard, options.test)
    by_guard = {
        guard: {path: one for path, one in coverage.read([guard]).items() if options.file in path} for guard in guards
    }
    found = _all(by_guard)
    known = {
        key: reason
        for key, reason in listed(UNREACHED.read_text(encoding="utf-8")).items()
        if options.file in key.split()[0]
    }
    is_whole = set(guards) == set(GUARDS) and not options.test
    judged = judge(found, known, root, is_whole)
    print("\n".join(table(found, by_guard)))
    if options.missed:
        print("\n".join(missed_lines(judged.missed, root)))
        print("\n".join(f"listed {one}" for one in judged.known))
    if options.keys:
        for path, numbers in judged.missed.items():
            source = (root / path).read_text(encoding="utf-8").splitlines()
            print("\n".join(found[path].key(path, number, source) for number in numbers))
    left = sum(map(len, judged.missed.values()))
    print(f"{left + len(judged.known)} lines are not reached; of these {len(judged.known)} are listed with the reason")
    in_rooms = sum(len(numbers) for path, numbers in judged.missed.items() if path.startswith(ROOMS))
    if is_whole and in_rooms:
        coverage.failed.append(f"{in_rooms} lines of slab, magazine, region and huge are neither reached nor listed")
    coverage.failed += [f"{UNREACHED.name}: {one}" for one in judged.wrong]
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
    parser.add_argument(
        "--keys", action="store_true", help="prints those that are not listed as unreached.txt has them"
    )
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
