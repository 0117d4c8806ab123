# SPDX-License-Identifier: MIT
"""From what services note and their load generators print to figures."""

from __future__ import annotations

import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

import psutil

from bench.programs.measurement import Failure
from bench.programs.workloads import memory
from bench.programs.workloads.errors import CheckError
from bench.programs.workloads.process import Usage
from bench.programs.workloads.runner import Run
from bench.programs.workloads.workload import Need
from bench.services import databases, measurement, programs, redis, service
from bench.services.measurement import Cell, Outcome, Plan
from bench.services.registry import SERVICES
from bench.services.service import Lived, Times
from tools.measure.contender import Contender

_SYSBENCH = """
Latency histogram (values are in milliseconds)
       value  ------------- distribution ------------- count
       1.000 |**                                       500
       2.500 |****************************************  480
      40.000 |                                         19
     100.000 |                                         1
SQL statistics:
"""

_DB_BENCH = """
fillrandom   :      10.1 micros/op
Microseconds per read:
Count: 7 Average: 5.0  StdDev: 1
Percentiles: P50: 1.00 P75: 2.00 P99: 3.00 P99.9: 4.00 P99.99: 5.00
readrandomwriterandom :  20.0 micros/op ( reads:900 writes:100 total:1000 found:3)
Microseconds per read:
Count: 900 Average: 9.0  StdDev: 2
Percentiles: P50: 8.50 P75: 9.00 P99: 40.25 P99.9: 900.00 P99.99: 1000.00
"""


def plan(names: list[str], rounds: int = 1) -> Plan:
    return Plan(names, ["glibc"], rounds, seed=1, seconds=60, idle=12)


def lived(sizes: list[int], idle_from: float | None) -> Lived:
    line = [(float(second), size) for second, size in enumerate(sizes)]
    return Lived(outputs={"ended": b"well"}, line=line, idle_from=idle_from, quantiles=None, requests=10)


class FiguresTest(unittest.TestCase):
    def test_quantiles_are_values_that_were_there(self) -> None:
        found = service.quantiles([nanoseconds * 1000 for nanoseconds in range(1, 1001)])
        self.assertEqual(found, {"p50": 501e-6, "p99": 991e-6, "p999": 1000e-6})
        self.assertEqual(service.quantiles([7]), {"p50": 7e-9, "p99": 7e-9, "p999": 7e-9})
        self.assertIsNone(service.quantiles([]))

    def test_mean_is_over_time_and_not_over_looks(self) -> None:
        """Ten looks in the first second say no more than one."""
        often = [(number / 10, 100) for number in range(10)]
        self.assertAlmostEqual(service.mean_bytes([*often, (1.0, 0), (4.0, 0)]), 25)
        self.assertEqual(service.mean_bytes([(0.0, 5)]), 5)

    def test_line_is_of_the_service_between_its_moments(self) -> None:
        looks = [(9.0, 1), (10.0, 2), (11.0, 0), (12.0, 4), (13.0, 5)]
        self.assertEqual(service.line_of(looks, 10.0, 12.0), [(0.0, 2), (2.0, 4)])

    def test_marks(self) -> None:
        self.assertEqual(service.read_marks("begin 1500000000\nidle 2000000000\n"), {"begin": 1.5, "idle": 2.0})
        with self.assertRaisesRegex(CheckError, "no mark: 'begin'"):
            service.read_marks("begin\n")

    def test_cell_and_medians(self) -> None:
        cells = [measurement.cell(lived([10, 30, size], 1.0), cpu_seconds=2.0) for size in (20, 22, 26)]
        self.assertEqual((cells[0].peak_bytes, cells[0].idle_bytes, cells[0].cpu_seconds), (30, 20, 0.2))
        self.assertEqual(cells[0].mean_bytes, 20)
        found = measurement.median(cells)
        self.assertEqual((found.idle_bytes, found.line), (22, cells[0].line))
        self.assertIsNone(measurement.cell(lived([1, 2], None), 1.0).idle_bytes)

    def test_latencies_of_the_load_generators(self) -> None:
        total, found = databases.sysbench_latencies(_SYSBENCH)
        self.assertEqual((total, found), (1000, {"p50": 0.001, "p99": 0.04, "p999": 0.04}))
        total, found = databases.db_bench_latencies(_DB_BENCH)
        self.assertEqual(total, 900)
        self.assertEqual({name: round(value * 1e6, 3) for name, value in found.items()},
                         {"p50": 8.5, "p99": 40.25, "p999": 900})  # fmt: skip
        for read in (databases.sysbench_latencies, databases.db_bench_latencies):
            with self.assertRaisesRegex(CheckError, "no histogram"):
                read("Killed")
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "took.1").write_text("0 0 1500 0 1 2\n1 0 2500 0 1 2\n")
            self.assertEqual(list(databases.pgbench_latencies(Path(folder))), [1_500_000, 2_500_000])

    def test_a_look_that_fails_is_said(self) -> None:
        with mock.patch.object(memory, "tree_bytes", side_effect=psutil.AccessDenied(1)):
            with self.assertRaisesRegex(CheckError, "could not be looked at"):
                with memory.Sampler(1, 0.001):
                    time.sleep(0.1)

    def test_how_far_connections_are_apart(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "slept.1").write_text("0 0 9 0 100 500000\n1 0 9 0 103 0\n")
            self.assertAlmostEqual(databases.pgbench_apart(Path(folder)), 2.5)

    def test_what_redis_is_filled_with_depends_on_no_clock(self) -> None:
        commands = list(redis.Redis(Times(work=0.02, idle=1)).commands())
        self.assertEqual(len(commands), 100 + 90 + 12)
        self.assertEqual(commands[1], b"*3\r\n$3\r\nSET\r\n$7\r\nsmall:1\r\n$350\r\n" + b"v" * 350 + b"\r\n")


class Stub(programs.Cache):
    """A service that needs what is nowhere."""

    name = "pool"
    needs = (Need("/no/such/server", "the-server"),)


class CellsTest(unittest.TestCase):
    def test_every_service_has_its_turn_in_every_round(self) -> None:
        found = measurement.turns(["a", "b"], ["x", "y", "z"], plan(["a", "b"], rounds=3))
        self.assertEqual(len(found), 18)
        self.assertEqual(len(set(found[:6])), 6)
        for start in range(0, 18, 3):  # a service's allocators stand one after another
            self.assertEqual(len({name for name, _ in found[start : start + 3]}), 1)

    def test_a_service_that_is_not_installed_is_said_to_be_missing(self) -> None:
        outcome = Outcome(plan(["pool"]), [])
        with mock.patch.dict(SERVICES, {"pool": Stub}):
            self.assertEqual(measurement._installed(outcome, mock.Mock(), Path("/nowhere")), {})
        (missing,) = outcome.missing
        self.assertEqual(missing.service, "pool")
        self.assertIn("Debian's package the-server", missing.why)

    def test_who_fails_has_no_figure_and_is_not_asked_again(self) -> None:
        outcome = Outcome(plan(["pool"]), [], cells={"pool": {}})
        good = Run(lived([1, 2], 1.0), Usage(1.0, 1.0, 1))
        runner = mock.Mock()
        runner.run.side_effect = [good, CheckError("it crashed"), good]
        for _ in range(3):
            measurement._run(outcome, "pool", runner, Contender("broken"))
        self.assertEqual(runner.run.call_count, 2)
        self.assertEqual((outcome.cells, outcome.failures), ({"pool": {}}, [Failure("pool", "broken", "it crashed")]))

    def test_a_server_that_is_gone_ends_no_run(self) -> None:
        """Its client gets an OSError, or asks for what is not there."""
        for number, error in enumerate((BrokenPipeError(32, "Broken pipe"), ConnectionResetError(), TimeoutError())):
            outcome = Outcome(plan(["pool"]), [], cells={"pool": {}})
            measurement._run(outcome, "pool", mock.Mock(**{"run.side_effect": error}), Contender("x"))
            self.assertIn("pool under x: ", outcome.failures[0].why, number)

    def test_cells_add_up(self) -> None:
        outcome = Outcome(plan(["pool"], rounds=2), [], cells={"pool": {}})
        runner = mock.Mock()
        runner.run.return_value = Run(lived([1, 2], 1.0), Usage(1.0, 5.0, 1))
        for _ in range(2):
            measurement._run(outcome, "pool", runner, Contender("x"))
        found: list[Cell] = outcome.cells["pool"]["x"]
        self.assertEqual([one.cpu_seconds for one in found], [0.5, 0.5])


if __name__ == "__main__":
    unittest.main()
