# SPDX-License-Identifier: MIT
"""Changes the allocator in one place at a time and sees whether the tests of the module notice.

    bazel run //tests/mutate -- --count=200                     a sample over all modules
    bazel run //tests/mutate -- --module=slab --seed=7 --count=50
    bazel run //tests/mutate -- --list --module=huge            every mutant there is, without running any

A mutant that the compiler makes the same object of is none. One that no test notices is either listed in survivors.txt, with
the reason why nothing can notice it, or a test is missing.

Exit status 0: at least --least per cent of the mutants that are not listed were killed. 1: fewer were, or the tests fail
without any change. 2: wrong arguments.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import dataclasses
import json
import os
import random
import sys
import tempfile
import threading
from pathlib import Path
from typing import Mapping, Sequence

# Run as a plain script, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.mutate import mutants, workshop  # noqa: E402
from tests.mutate.build_files import Test  # noqa: E402
from tests.mutate.modules import MODULES, SLOW, Module  # noqa: E402
from tests.mutate.mutants import Mutant  # noqa: E402
from tests.mutate.workshop import FLAVOURS, Flavour, NotCompiled, Workshop  # noqa: E402

STATUS_USAGE = 2
SURVIVORS = Path(__file__).parent / "survivors.txt"

# A test may take this much longer than without a change, in a machine that does much else meanwhile, and ten times that. Of a
# processor it takes no more there: what goes round in a circle is ended sooner.
_TIMES_LONGER = 10
_SECONDS_MORE = 20.0
_PROCESSOR_SECONDS_MORE = 5.0
_UNCHANGED_SECONDS = 900.0

# So many are begun while the first of them still runs.
_AHEAD = 50


class NotPassed(Exception):
    """A test fails although nothing is changed."""


@dataclasses.dataclass
class Verdict:
    module: str
    mutant: Mutant
    status: str  # killed, timeout, survived, same object, not compiled
    by: str = ""  # flavour and test


def listed(text: str) -> dict[str, str]:
    """Key and reason of each mutant that nothing can notice. A line is a key; the lines below it, indented, are the reason."""
    found: dict[str, str] = {}
    key = ""
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line.startswith(" "):
            found[key] = f"{found[key]} {line.strip()}".strip()
        else:
            key = line.strip()
            found[key] = ""
    return found


class Laboratory:
    def __init__(self, shop: Workshop, flavours: Sequence[str] = (), is_quick: bool = False):
        self.shop = shop
        self._only = flavours
        self._is_quick = is_quick  # without the tests of seconds
        self._seconds_file = shop.folder / "times.json"
        self._seconds: dict[str, list[float]] = {}  # of a clock, and of a processor
        if self._seconds_file.exists():
            self._seconds = json.loads(self._seconds_file.read_text(encoding="utf-8"))
        self._prepared: set[str] = set()
        self._lock = threading.Lock()  # of the locks
        self._locks: dict[tuple[str, ...], threading.Lock] = {}
        self._of_file: dict[str, list[Mutant]] = {}

    def flavours(self, module: Module) -> list[Flavour]:
        return [FLAVOURS[name] for name in module.flavours if not self._only or name in self._only]

    def files_of(self, module: Module) -> list[str]:
        paths = {path for pattern in module.patterns for path in self.shop.root.glob(pattern)}
        return sorted(str(path.relative_to(self.shop.root)) for path in paths) if self.flavours(module) else []

    def mutants_in(self, path: str, flavour: Flavour) -> list[Mutant]:
        if path not in self._of_file:
            self._of_file[path] = mutants.find(path, self.shop.root, ["-std=gnu11", *self.shop.flags(flavour)])
        return self._of_file[path]

    def mutants_of(self, module: Module) -> list[Mutant]:
        return [one for path in self.files_of(module) for one in self.mutants_in(path, self.flavours(module)[0])]

    def _once(self, key: tuple[str, ...]) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(key, threading.Lock())

    def _prepare(self, flavour: Flavour) -> None:
        """Compiles what the flavour's programs are linked of, when the first mutant needs it."""
        with self._once((flavour.name,)):
            if flavour.name not in self._prepared:
                self.shop.prepare(flavour, [label for module in MODULES.values() for label in module.tests])
                self._prepared.add(flavour.name)

    def _seconds_of(self, flavour: Flavour, program: workshop.Program, test: Test) -> list[float]:
        """What the test takes of a clock and of a processor as long as nothing is changed."""
        key = f"{flavour.name} {test.label}"
        with self._once((flavour.name, program.name)):
            path = self.shop.folder / flavour.name / program.name
            if not path.exists():
                self.shop.link(flavour, program, path)
        with self._once((key,)):
            if key not in self._seconds:
                with workshop.scratch_folder(self.shop.folder) as scratch:
                    done = self.shop.run(test, path, scratch, _UNCHANGED_SECONDS, _UNCHANGED_SECONDS)
                if done.status != "passed":
                    raise NotPassed(
                        f"{flavour.name} {test.label} {done.status} without any change\n{done.said[-3000:]}"
                    )
                with self._lock:
                    self._seconds[key] = [done.seconds, done.processor_seconds]
                    self._seconds_file.write_text(json.dumps(self._seconds), encoding="utf-8")
            return self._seconds[key]

    def tried(self, module: str, labels: Sequence[str], mutant: Mutant, flavour: Flavour, scratch: Path) -> Verdict:
        """With these tests of one flavour, as far as it has them."""
        self._prepare(flavour)
        changed = scratch / f"{flavour.name}.o"
        text = mutant.apply((self.shop.root / mutant.path).read_text(encoding="ascii"))
        self.shop.compile(flavour, mutant.path, text, changed)
        if changed.read_bytes() == self.shop.object_of(flavour, mutant.path).read_bytes():
            return Verdict(module, mutant, "same object")
        linked: dict[str, Path] = {}
        of_label = {test.label: (program, test) for program in self.shop.programs(flavour) for test in program.tests}
        for label in labels:
            if label not in of_label:
                continue
            program, test = of_label[label]
            seconds, processor_seconds = (_TIMES_LONGER * one for one in self._seconds_of(flavour, program, test))
            if program.name not in linked:
                linked[program.name] = scratch / f"{flavour.name}-{program.name}"
                self.shop.link(flavour, program, linked[program.name], {mutant.path: changed})
            most = (seconds + _SECONDS_MORE, processor_seconds + _PROCESSOR_SECONDS_MORE)
            done = self.shop.run(test, linked[program.name], scratch, *most)
            if done.status != "passed":
                status = "timeout" if done.status == "timeout" else "killed"
                return Verdict(module, mutant, status, f"{flavour.name} {label}")
        return Verdict(module, mutant, "survived")

    def judge(self, module: Module, mutant: Mutant) -> Verdict:
        flavours = self.flavours(module)
        if mutant.kind == "order" and not self._only:
            flavours = [*flavours[:1], FLAVOURS["tsan"]]
        verdicts = []
        rounds = [
            (flavour, is_slow) for is_slow in ((False,) if self._is_quick else (False, True)) for flavour in flavours
        ]
        with workshop.scratch_folder(self.shop.folder) as scratch:
            for flavour, is_slow in rounds:
                try:
                    labels = module.order_tests if flavour.name == "tsan" else module.tests
                    labels = tuple(label for label in labels if (label in SLOW) == is_slow)
                    verdict = self.tried(module.name, labels, mutant, flavour, scratch)
                except NotCompiled as error:
                    return Verdict(module.name, mutant, "not compiled", str(error).strip().splitlines()[-1][:200])
                if verdict.status in ("killed", "timeout"):
                    return verdict
                verdicts.append(verdict)
        return next((one for one in verdicts if one.status == "survived"), verdicts[0])


def chosen(of_modules: dict[str, list[Mutant]], seed: int) -> list[tuple[str, Mutant]]:
    """All, by turns of the modules, in an order that is the same for the same sources and seed."""
    orders = {
        name: random.Random(f"{seed} {name}").sample(found, len(found)) for name, found in sorted(of_modules.items())
    }
    turns = range(max(map(len, orders.values())))
    return [(name, order[turn]) for turn in turns for name, order in orders.items() if turn < len(order)]


def judge_all(
    laboratory: Laboratory,
    candidates: Sequence[tuple[str, Mutant]],
    count: int,
    jobs: int,
    modules: Mapping[str, Module] = MODULES,
) -> list[Verdict]:
    """Until `count` of them were mutants; the candidates' order decides which, and not which is done first."""
    verdicts: list[Verdict] = []
    real = 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        waiting: collections.deque[concurrent.futures.Future[Verdict]] = collections.deque()
        rest = iter(candidates)
        while real < count:
            while len(waiting) < jobs + _AHEAD:
                following = next(rest, None)
                if following is None:
                    break
                waiting.append(pool.submit(laboratory.judge, modules[following[0]], following[1]))
            if not waiting:
                break
            verdict = waiting.popleft().result()
            verdicts.append(verdict)
            real += verdict.status in ("killed", "timeout", "survived")
            said = f"{len(verdicts):4} {verdict.status:12} {verdict.mutant.kind:8} {verdict.mutant.key}  {verdict.by}"
            print(said, flush=True)
        for one in waiting:
            one.cancel()
    return verdicts


def table(verdicts: Sequence[Verdict], equivalent: dict[str, str]) -> str:
    columns = ("mutants", "killed", "timeout", "listed", "survived", "same", "refused")
    lines = [f"{'module':10}" + "".join(f"{column:>9}" for column in columns)]
    names = [*dict.fromkeys(one.module for one in verdicts), "all"]
    for name in names:
        own = [one for one in verdicts if name in (one.module, "all")]
        of = collections.Counter(
            "listed" if one.status == "survived" and one.mutant.key in equivalent else one.status for one in own
        )
        real = of["killed"] + of["timeout"] + of["listed"] + of["survived"]
        counts = [of[one] for one in ("killed", "timeout", "listed", "survived", "same object", "not compiled")]
        lines.append(f"{name:10}" + "".join(f"{count:9}" for count in [real, *counts]))
    return "\n".join(lines)


def killed_percent(verdicts: Sequence[Verdict], equivalent: dict[str, str]) -> float:
    """Of the mutants that are not listed."""
    killed = sum(one.status in ("killed", "timeout") for one in verdicts)
    missed = sum(one.status == "survived" and one.mutant.key not in equivalent for one in verdicts)
    return 100.0 * killed / max(killed + missed, 1)


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="mutate", description="changes the allocator and sees whether its tests notice"
    )
    parser.add_argument(
        "--module", action="append", choices=sorted(MODULES), help="of which mutants are made; all without"
    )
    parser.add_argument("--count", type=int, default=200, help="mutants, spread evenly over the modules (200)")
    parser.add_argument("--seed", type=int, default=1, help="which mutants (1)")
    parser.add_argument("--kind", action="append", choices=mutants.KINDS, help="of change; all without")
    parser.add_argument("--key", action="append", default=[], help="only mutants whose key contains this text")
    parser.add_argument(
        "--flavour", action="append", default=[], choices=sorted(FLAVOURS), help="only the tests of this build"
    )
    parser.add_argument(
        "--quick", action="store_true", help="without the tests that take seconds: what these alone notice survives"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at a time (one a processor)")
    parser.add_argument("--least", type=float, default=95.0, help="per cent that have to be killed (95)")
    parser.add_argument("--folder", type=Path, help="keeps what was compiled, for the next run of the same sources")
    parser.add_argument("--json", type=Path, help="writes every verdict there")
    parser.add_argument("--list", action="store_true", help="prints the mutants, and runs nothing")
    parsed = parser.parse_args(arguments)
    if parsed.count < 1 or parsed.jobs < 1:
        parser.error("--count and --jobs are numbers from 1 on")
    return parsed


def run(options: argparse.Namespace, root: Path, folder: Path) -> int:
    laboratory = Laboratory(Workshop(root, folder, options.jobs), options.flavour, options.quick)
    modules = [MODULES[name] for name in options.module or MODULES]
    kinds = options.kind or mutants.KINDS
    of_modules = {
        module.name: [
            one
            for one in mutants.of_kinds(laboratory.mutants_of(module), kinds)
            if not options.key or any(key in one.key for key in options.key)
        ]
        for module in modules
    }
    of_modules = {name: found for name, found in of_modules.items() if found}
    if not of_modules:
        print("mutate: no place of these modules can be changed in that way", file=sys.stderr)
        return STATUS_USAGE
    candidates = chosen(of_modules, options.seed)
    if options.list:
        for name, mutant in candidates:
            print(f"{name:9} {mutant.kind:8} {mutant.line:4} {mutant.key}")
        print(f"{len(candidates)} mutants")
        return 0
    try:
        verdicts = judge_all(laboratory, candidates, options.count, options.jobs)
    except NotPassed as error:
        print(f"mutate: {error}", file=sys.stderr)
        return 1
    equivalent = listed(SURVIVORS.read_text(encoding="utf-8"))
    print(table(verdicts, equivalent))
    for one in verdicts:
        if one.status == "survived":
            known = "listed" if one.mutant.key in equivalent else "SURVIVED"
            print(f"{known} {one.mutant.path}:{one.mutant.line} {one.mutant.key}")
    percent = killed_percent(verdicts, equivalent)
    print(f"killed: {percent:.1f} % of those that can be noticed")
    if options.json:
        options.json.write_text(json.dumps([dataclasses.asdict(one) for one in verdicts], indent=1), encoding="utf-8")
    return 0 if percent >= options.least else 1


def main(arguments: Sequence[str]) -> int:
    options = _arguments(arguments)
    sys.setrecursionlimit(20000)  # of a syntax tree
    root = Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", os.getcwd()))
    if not (root / "hakmem/slab").is_dir():
        print(
            f"mutate: {root} has no hakmem/slab; run it by bazel run //tests/mutate, or in the workspace",
            file=sys.stderr,
        )
        return STATUS_USAGE
    if options.folder:
        return run(options, root, options.folder.absolute())
    with tempfile.TemporaryDirectory(prefix="hakmem-mutate-", ignore_cleanup_errors=True) as folder:
        return run(options, root, Path(folder))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
