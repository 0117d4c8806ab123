# SPDX-License-Identifier: MIT
"""Builds the allocator with each change of broken.txt, and runs the test of the gate that has to fail.

    bazel run //tests/mutate:broken

Exit status 0: each test failed. 1: one passed, or failed without the change as well. 2: the list names what is not there.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import tempfile
from pathlib import Path

# Run as a plain script, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.mutate import mutate, workshop  # noqa: E402
from tests.mutate.mutants import Mutant  # noqa: E402
from tests.mutate.workshop import FLAVOURS, Workshop  # noqa: E402

STATUS_WRONG_LIST = 2
LIST = Path(__file__).parent / "broken.txt"


@dataclasses.dataclass(frozen=True)
class Broken:
    mutant: Mutant
    flavour: str
    label: str
    harm: str


class NotThere(Exception):
    """The list names a change, a build or a test that does not exist."""


def listed(laboratory: mutate.Laboratory, text: str) -> list[Broken]:
    found = []
    for key, said in mutate.listed(text).items():
        where, _, harm = said.partition(": ")
        flavour, _, label = where.partition(" ")
        if flavour not in FLAVOURS or not (laboratory.shop.root / key.split()[0]).is_file():
            raise NotThere(f"{key}: {where}")
        mutants = laboratory.mutants_in(key.split()[0], FLAVOURS[flavour])
        mutant = next((one for one in mutants if one.key == key), None)
        guard = FLAVOURS[flavour].guard
        if mutant is None or not any(one.label == label and one.guard == guard for one in laboratory.shop.tests):
            raise NotThere(f"{key}: {where}")
        found.append(Broken(mutant, flavour, label, harm))
    return found


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    sys.setrecursionlimit(20000)  # of a syntax tree
    root = Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", os.getcwd()))
    missed = 0
    with tempfile.TemporaryDirectory(prefix="hakmem-broken-", ignore_cleanup_errors=True) as folder:
        laboratory = mutate.Laboratory(Workshop(root, Path(folder), os.cpu_count() or 1))
        try:
            builds = listed(laboratory, LIST.read_text(encoding="utf-8"))
        except NotThere as error:
            print(f"broken: not there: {error}", file=sys.stderr)
            return STATUS_WRONG_LIST
        for one in builds:
            try:
                with workshop.scratch_folder(Path(folder)) as scratch:
                    verdict = laboratory.tried("broken", (one.label,), one.mutant, FLAVOURS[one.flavour], scratch)
            except (mutate.NotPassed, workshop.NotCompiled) as error:
                print(f"broken: {error}", file=sys.stderr)
                return 1
            missed += verdict.status not in ("killed", "timeout")
            print(f"{verdict.status:8} {one.label}: {one.harm}  {one.mutant.key}", flush=True)
    print(f"{len(builds) - missed} of {len(builds)} broken builds were noticed")
    return 0 if missed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
