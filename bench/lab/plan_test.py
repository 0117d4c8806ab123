# SPDX-License-Identifier: MIT
"""Families, what the command line leaves of them, and operations that are fixed before anything is measured."""

from __future__ import annotations

import unittest
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from bench.engine import identity, worker
from bench.engine.variants import COMBINATIONS
from bench.lab import command_line, contenders, plan, workloads
from bench.lab.plan import Calibration, Slot
from bench.lab.testing import fake, simulated
from tools.measure import inference, peers
from tools.measure.program import BenchError


def all_families() -> dict[str, contenders.Family]:
    """The families of contenders.py, whether their files are there or not."""
    with mock.patch.object(worker, "built", Path), mock.patch.object(peers, "installed", Path):
        return {family.name: family for family in contenders.families([("mine", Path("mine.so"))])}


class LeftTest(unittest.TestCase):
    """What the command line leaves."""

    def left(self, line: Sequence[str] = ()) -> dict[str, contenders.Family]:
        own = command_line.parser("lab", "")
        with mock.patch.object(worker, "built", Path), mock.patch.object(peers, "installed", Path):
            parsed = own.parse_args(line)
            parsed.peers = [("mine", Path("mine.so"))]
            return {family.name: family for family in command_line.families_of(parsed)}

    def test_a_library_of_one_s_own_runs_whatever_else_is_asked_for(self) -> None:
        for line in ((), ["--quick"], ["--contender=switches/p0"], ["--contender=jemalloc"]):
            with self.subTest(line=line):
                self.assertIn(("hakmem", "mine"), self.left(line)[contenders.LIBRARIES].pairs)

    def test_a_name_that_matches_nothing_is_refused_beside_one_that_does(self) -> None:
        with self.assertRaisesRegex(command_line.UsageError, "nothing matches jemaloc; there are .*jemalloc"):
            self.left(["--contender=glibc", "--contender=jemaloc"])

    def test_families_that_are_not_built_are_left_out_and_named(self) -> None:
        def built(path: str) -> Path:
            if "libhakmem_" in path or "worker_hakmem_" in path:
                raise worker.NotBuilt(path)
            return Path(path)

        with mock.patch.object(worker, "built", built), mock.patch.object(peers, "installed", Path):
            parsed = command_line.parser("lab", "").parse_args(["--contender=switches/p0"])
            self.assertNotIn("switches", [family.name for family in contenders.families([])])
            with self.assertRaisesRegex(command_line.UsageError, "switches, compiled-in.* //bench:lab_all"):
                command_line.families_of(parsed)

    def test_of_switches_and_experiments_is_there_what_was_built(self) -> None:
        def built_but(*names: str) -> dict[str, contenders.Family]:
            def built(path: str) -> Path:
                if path.endswith(names):
                    raise worker.NotBuilt(path)
                return Path(path)

            with mock.patch.object(worker, "built", built), mock.patch.object(peers, "installed", Path):
                return {family.name: family for family in contenders.families([])}

        found = built_but("libhakmem_p1_p3", "libhakmem_p0_p2_p3", "_table_129")
        self.assertEqual({"p1+p3", "p0+p2+p3"}, set(COMBINATIONS.values()) - set(found["switches"].names()))
        self.assertNotIn((contenders.ALL, "p0+p2+p3"), found["switches"].pairs)
        self.assertIn((contenders.ALL, "p1+p2+p3"), found["switches"].pairs)
        self.assertEqual({"table-129"}, contenders.EXPERIMENTS.keys() - set(found[contenders.FLIPPED].names()))
        # The ladder is needed, and one experiment.
        self.assertNotIn("switches", built_but("libhakmem_p0_p1"))
        flipped = [variant for name, variant in contenders.EXPERIMENTS.items() if name != contenders.SHIPPED]
        self.assertNotIn(contenders.FLIPPED, built_but(*flipped))


class FamiliesTest(unittest.TestCase):
    def test_every_pair_and_control_is_there(self) -> None:
        for family in all_families().values():
            names = family.names()
            self.assertEqual(len(names), len(set(names)))
            for one, other in (*family.pairs, family.control):
                self.assertIn(one, names)
                self.assertIn(other, names)
            self.assertIn(family.reference, names)

    def test_the_control_is_one_file_under_two_names(self) -> None:
        for family in all_families().values():
            first, again = (family.find(name) for name in family.control)
            self.assertEqual(replace(again, name=first.name), first)

    def test_all_libraries_run_in_one_program(self) -> None:
        family = all_families()[contenders.LIBRARIES]
        self.assertEqual(len({one.worker for one in family.contenders}), 1)
        self.assertEqual({one.link for one in family.contenders}, {"preload"})
        self.assertIn(("hakmem", "mine"), family.pairs)

    def test_the_exact_guard_runs_beside_the_peers_and_the_full_one_by_itself(self) -> None:
        found = all_families()
        libraries, full = found[contenders.LIBRARIES], found[contenders.WITH_GUARD]
        exact = [(one, other) for one, other in libraries.pairs if one == contenders.GUARD]
        self.assertEqual(exact, [(contenders.GUARD, "hakmem"), (contenders.GUARD, "mimalloc")])
        self.assertEqual(full.pairs, ((contenders.GUARD_FULL, "hakmem"),))
        self.assertNotIn(contenders.GUARD_FULL, libraries.names())
        self.assertEqual(libraries.find(contenders.GUARD).library, Path("hakmem/preload/libhakmem-guard.so"))

    def test_the_profile_is_an_option_of_the_library_that_it_is_compared_with(self) -> None:
        family = all_families()[contenders.WITH_PROFILE]
        self.assertEqual(family.pairs, ((contenders.SAMPLING, contenders.HAKMEM),))
        sampling, plain = (family.find(name) for name in family.pairs[0])
        self.assertEqual(replace(sampling, name=plain.name, options=()), plain)
        self.assertEqual(
            sampling.environment({"A": "b"}), plain.environment({"A": "b"}) | {"HAKMEM_PROFILE": "/dev/null"}
        )

    def test_every_combination_is_there_twice(self) -> None:
        found = all_families()
        for name in ("switches", contenders.COMPILED_IN):
            self.assertLessEqual(set(COMBINATIONS.values()), set(found[name].names()))

    def test_pairs_of_switches_differ_in_one_switch(self) -> None:
        for one, other in contenders.switch_pairs():
            with_it, without = (set(name.split("+")) - {"none"} for name in (one, other))
            self.assertEqual(len(with_it - without), 1)
            self.assertFalse(without - with_it)

    def narrowed(self, family: str, *globs: str) -> set[str]:
        left = contenders.narrowed(all_families()[family], globs)
        return set() if left is None else set(left.names())

    def test_who_is_asked_for_comes_with_whom_it_is_compared_with(self) -> None:
        self.assertEqual(self.narrowed("libraries", "glibc"), {"hakmem", "hakmem-again", "glibc"})
        self.assertEqual(self.narrowed("libraries", "hakmem"), {"hakmem", "hakmem-again"})
        self.assertEqual(self.narrowed("libraries", "*-guard"), {"hakmem", "hakmem-again", "hakmem-guard", "mimalloc"})
        self.assertEqual(self.narrowed("guard", "*-guard-full"), set(all_families()["guard"].names()))
        control = {contenders.ALL, contenders.ALL + "-again", "mimalloc"}
        self.assertEqual(self.narrowed("switches", "p0+p1"), control | {"p0+p1", "p0"})
        self.assertEqual(self.narrowed("switches", "libraries/*"), set())
        self.assertEqual(self.narrowed("switches", "switches/*"), set(all_families()["switches"].names()))
        self.assertEqual(self.narrowed("switches", "mimalloc"), set())


class PlanTest(unittest.TestCase):
    def make(self, globs: tuple[str, ...] = (), **options: object) -> plan.Plan:
        offered = [
            simulated.workload(name)
            for name in (*plan.QUICK_WORKLOADS, *plan.GUARD_WORKLOADS, *plan.PROFILE_WORKLOADS, "other")
        ]
        offered.append(replace(simulated.workload("trace:x"), program="x"))
        given = {"rounds_asked": None, "seed": 1, "quick": False, "operations": None} | options
        chosen = workloads.chosen(list({one.name: one for one in offered}.values()), globs)
        return plan.make(list(all_families().values()), chosen, globs, **given)  # type: ignore[arg-type]

    def slots(self, found: plan.Plan, family: str) -> set[str]:
        return {slot.workload for slot in found.slots if slot.family == family}

    def test_libraries_run_everything_the_others_some(self) -> None:
        found = self.make()
        self.assertIn("other", self.slots(found, "libraries"))
        self.assertEqual(self.slots(found, "switches"), set(plan.SWITCH_WORKLOADS))
        self.assertEqual(self.slots(found, "guard"), set(plan.GUARD_WORKLOADS))
        self.assertEqual(self.slots(found, "profile"), set(plan.PROFILE_WORKLOADS))

    def test_a_quick_run_is_a_part(self) -> None:
        found = self.make(quick=True)
        self.assertEqual(self.slots(found, "libraries"), set(plan.QUICK_WORKLOADS))
        self.assertEqual(self.slots(found, "switches"), set(plan.QUICK_SWITCH_WORKLOADS))

    def test_named_workloads_run_everywhere_but_traces_are_not_compiled_in(self) -> None:
        found = self.make(("other", "trace:*"))
        self.assertEqual(self.slots(found, "switches"), {"other", "trace:x"})
        self.assertEqual(self.slots(found, contenders.COMPILED_IN), {"other"})

    def test_a_list_without_a_workload_that_a_family_wants_is_an_error(self) -> None:
        with self.assertRaisesRegex(BenchError, "no workload"):
            plan.make(
                list(all_families().values()),
                [simulated.workload("pair")],
                (),
                rounds_asked=None,
                seed=1,
                quick=True,
                operations=None,
            )

    def test_rounds_suffice_for_all_comparisons(self) -> None:
        found = self.make()
        self.assertEqual(found.rounds, inference.rounds_wanted(found.comparisons))
        self.assertEqual(self.make(rounds_asked=33).rounds, 33)


class CalibrationTest(unittest.TestCase):
    def setUp(self) -> None:
        self.plan = simulated.make_plan()
        self.workload = replace(fake.offered()[0], quick_operations=1000, unit=300)

    def calibrated(self, ns: float, overhead: float) -> dict[Slot, dict[str, Calibration]]:
        return {slot: dict.fromkeys(names, Calibration(ns, overhead)) for slot, names in self.plan.slots.items()}

    def test_runs_get_shorter_where_there_are_many_or_their_start_costs(self) -> None:
        cheap = plan.run_seconds(self.plan, self.calibrated(10, 0.0))
        dear = plan.run_seconds(self.plan, self.calibrated(10, 2.3))
        self.assertGreater(cheap, dear)
        many = plan.run_seconds(replace(self.plan, rounds=900), self.calibrated(10, 0.0))
        self.assertGreater(cheap, many)

    def test_a_run_of_fewer_minutes_has_shorter_runs_and_as_many_rounds(self) -> None:
        whole, short = (replace(self.plan, rounds=900, minutes=minutes) for minutes in (None, 20))
        self.assertEqual((whole.budget_s, short.budget_s), (2700, 1200))
        calibrated = self.calibrated(10, 0.0)
        self.assertGreater(plan.run_seconds(whole, calibrated), plan.run_seconds(short, calibrated))

    def test_the_middle_contender_takes_the_time_and_counts_are_whole_units(self) -> None:
        calibrated = {name: Calibration(ns, 0.0) for name, ns in (("a", 10.0), ("b", 20.0), ("c", 200.0))}
        found = plan.operations(self.plan, self.workload, 0.02, calibrated)
        self.assertEqual(found % 300, 0)
        self.assertAlmostEqual(found, 0.02e9 / 20, delta=300)
        # One that is slow beyond measure: on average no more than four times as long.
        outlier = calibrated | {"c": Calibration(2000.0, 0.0)}
        found_less = plan.operations(self.plan, self.workload, 0.1, outlier)
        self.assertAlmostEqual(found_less * (10 + 20 + 2000) / 3, 4 * 0.1e9, delta=300 * 2000)
        # But never so few that the start of a run shows.
        least = plan.operations(self.plan, self.workload, 0.01, calibrated | {"c": Calibration(1e7, 0.0)})
        self.assertAlmostEqual(least, 0.005e9 / 20, delta=300)
        both = plan.operations(self.plan, replace(self.workload, threads=2), 0.02, calibrated)
        self.assertAlmostEqual(both, found / 2, delta=300)

    def test_operations_fill_a_working_set(self) -> None:
        slow = {"a": Calibration(1e6, 0.0)}
        self.assertEqual(plan.operations(self.plan, self.workload, 0.02, slow), 1200)
        kept = replace(self.workload, has_working_set=True, default_operations=30_000)
        self.assertEqual(plan.operations(self.plan, kept, 0.02, slow), 30_000)


class WorkloadsTest(unittest.TestCase):
    def test_threads(self) -> None:
        self.assertEqual(workloads.threads_for(1, 1, processors=16), 1)
        self.assertEqual(workloads.threads_for(1, 64, processors=1), 2)
        self.assertEqual(workloads.threads_for(1, 64, processors=4), 4)
        self.assertEqual(workloads.threads_for(1, 64, processors=64), workloads.THREADS_MAX)
        self.assertEqual(workloads.threads_for(2, 4, processors=64), 4)

    def test_threads_of_a_workload_that_is_about_too_many(self) -> None:
        for processors, threads in ((1, 4), (2, 8), (16, 64), (64, 64)):
            self.assertEqual(workloads.threads_for(1, 64, processors=processors, each=4), threads)

    def test_what_is_no_list_is_an_error(self) -> None:
        no_lists: list[Any] = [[{}], [1], 5, [{"name": "x"}]]
        for rows in no_lists:
            with self.assertRaises(BenchError):
                workloads.parse(rows, 2)


class IdentityTest(unittest.TestCase):
    def test_a_report_does_not_name_the_host(self) -> None:
        import platform

        self.assertNotIn(platform.node(), [str(value) for value in identity.machine().values()])

    def test_a_binary_by_its_content(self) -> None:
        found = identity.binary(Path("/bin/sh"))
        self.assertEqual(len(found["sha256"]), 64)
        self.assertGreater(found["bytes"], found["code_bytes"])
        self.assertNotIn("/", found["file"])


if __name__ == "__main__":
    unittest.main()
