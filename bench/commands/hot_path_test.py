# SPDX-License-Identifier: MIT
"""Holds the hot path of all sixteen builds against golden/hot_path.json and against what the design promises."""

from __future__ import annotations

import json
import unittest
from pathlib import Path

from bench.commands import hot_path
from bench.commands.hot_path import Figures, Profile
from bench.engine.variants import COMBINATIONS, FLIPPED, FLIPPED_CONFIG

_FOLDER = Path(__file__).parent.parent / "golden"
_ALL = "p0_p1_p2_p3"


class HotPathTest(unittest.TestCase):
    profiles: dict[str, Profile]

    @classmethod
    def setUpClass(cls) -> None:
        cls.profiles = {combination: hot_path.profile(combination) for combination in COMBINATIONS}

    def builds(self, *switches: str) -> dict[str, Profile]:
        """The builds in which all of `switches` are on."""
        return {
            combination: measured
            for combination, measured in self.profiles.items()
            if set(switches) <= set(combination.split("_"))
        }

    def figures(self, combination: str, name: str) -> Figures:
        return self.profiles[combination].figures[name]

    def hold(self, combination: str, name: str, figure: str, expected: int) -> None:
        """Asserts one figure; on failure prints the path that was executed."""
        found = getattr(self.figures(combination, name), figure)
        listing = "\n    ".join(self.profiles[combination].listings[name])
        self.assertEqual(
            found, expected, f"{COMBINATIONS[combination]} {name}: {found} {figure}, not {expected}\n    {listing}"
        )

    def test_equals_golden(self) -> None:
        measured = hot_path.golden_object(self.profiles)
        golden = _FOLDER / hot_path.golden_of(measured["compiler"]).name
        if not golden.exists():
            self.skipTest(f"there are no golden figures of {measured['compiler']}; {hot_path.UPDATE} writes them")
        found = hot_path.differences(json.loads(golden.read_text()), measured)
        if found:
            self.fail("\n  ".join(["the hot path is not what it was:", *found, f"if that is meant: {hot_path.UPDATE}"]))

    def test_build_without_flags_has_all_switches(self) -> None:
        """//bench:worker_hakmem is built with the command line's switches: this holds where it sets none."""
        self.assertEqual(hot_path.profile(_ALL, "worker_hakmem").figures, self.profiles[_ALL].figures)

    def test_learning_leaves_the_hot_path_alone(self) -> None:
        """learn=elo: what is learned, and what it costs, lies on slow paths alone."""
        learns = hot_path.profile_of(f"probe_hakmem_{FLIPPED['learn-elo']}", FLIPPED_CONFIG["learn-elo"])
        self.assertEqual(learns.figures, self.profiles[_ALL].figures)

    def test_inlined_paths_call_nothing(self) -> None:
        """P2: the fast path lies in the caller."""
        for combination in self.builds("p2"):
            for name in hot_path.PROBES:
                with self.subTest(combination=combination, name=name):
                    self.hold(combination, name, "calls", 0)

    def test_without_p2_the_path_is_one_call(self) -> None:
        for combination in self.profiles.keys() - self.builds("p2").keys():
            for name in hot_path.PROBES:
                with self.subTest(combination=combination, name=name):
                    self.hold(combination, name, "calls", 1)

    def test_all_switches_leave_one_branch(self) -> None:
        for name in hot_path.PROBES:
            self.hold(_ALL, name, "conditional_branches", 1)

    def test_sentinels_leave_free_one_branch(self) -> None:
        """P3: neither P0's table nor P1's counting concerns a free."""
        for combination in self.builds("p3"):
            with self.subTest(combination=combination):
                self.hold(combination, "free", "conditional_branches", 1)

    def test_sentinels_and_table_leave_malloc_one_branch_and_the_sample(self) -> None:
        """P3 and P0: one branch; with P1 off one more, whether the allocation is sampled."""
        for combination in self.builds("p0", "p3"):
            with self.subTest(combination=combination):
                self.hold(combination, "malloc", "conditional_branches", 1 if "p1" in combination else 2)


if __name__ == "__main__":
    unittest.main()
