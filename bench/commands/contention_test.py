# SPDX-License-Identifier: MIT
"""contention and update_scale: what is read of the counts, the model, a real count of few operations, and that what
ships counts nothing."""

from __future__ import annotations

import json
import subprocess
import unittest
from pathlib import Path
from typing import Any

import jsonschema

from bench.commands import contention, contention_model, update_scale
from bench.commands.contention import Seen
from bench.commands.contention_model import COSTS, Load, Station
from bench.engine import document, valgrind, worker


def _site(file: str, function: str, line: int, steps: int, moved: int = 0) -> dict[str, Any]:
    return {"file": f"hakmem/{file}", "function": function, "line": line, "steps": steps, "moved": moved}


def _lock(rank: str, acquired: int, waited: int, held: int) -> dict[str, Any]:
    return {"rank": rank, "acquired": acquired, "waited": waited, "moved": 0, "held": held}


_SAID: dict[str, Any] = {
    "operations": 500_000,
    "ns": 2000,
    "contention": {
        "ticks": 1000,
        "sites": [
            _site("base/lock.h", "lock_acquire", 64, 90),
            _site("base/lock.h", "lock_release", 64, 90) | {"file": "./hakmem/base/lock.h"},
            _site("region/held.c", "subtract", 128, 10),
            _site("region/held.c", "add", 128, 4),
            _site("region/decay.c", "aside", 128, 1),
            _site("slab/free.c", "remote", 0, 40, 3),
            _site("slab/slab.c", "drain", 0, 2, 1),
        ],
        "locks": [_lock("class", 20, 2, 100), _lock("region", 50, 1, 400), _lock("class", 30, 0, 300)],
    },
}


class CountsTest(unittest.TestCase):
    def test_rows_are_per_million_operations(self) -> None:
        self.assertEqual(
            contention.rows({2: contention.parse(_SAID)}),
            {
                "class locks, acquired": [100],
                "class locks, waited": [4],
                "busiest of 2 class locks, acquired": [60],
                "region lock, acquired": [100],
                "region lock, waited": [2],
                "line, region/held: add": [30],
                "other lines, steps": [84],
                "other lines, moved": [8],
            },
        )

    def test_holds_are_the_shortest_and_in_nanoseconds(self) -> None:
        counts = contention.parse(_SAID)
        longer = contention.parse(_SAID | {"ns": 4000})
        self.assertEqual(update_scale.held_ns("region", [longer, counts], []), 2 * 400 / 50)
        self.assertEqual(update_scale.held_ns("region", [longer], [counts]), 4 * 400 / 50)
        self.assertEqual(update_scale.held_ns("region", [], [counts]), 2 * 400 / 50)
        self.assertEqual(update_scale.held_ns("huge", [counts], []), 0)

    def test_a_load_has_a_station_a_lock_and_a_line(self) -> None:
        load = update_scale.load(100, [], {2: contention.parse(_SAID)})
        self.assertEqual(
            [(station.name, station.visits, station.is_lock) for station in load.stations],
            [
                ("class lock", 40e-6, True),
                ("class lock", 60e-6, True),
                ("region lock", 100e-6, True),
                ("region/held: add", 30e-6, False),
            ],
        )
        self.assertEqual((load.moves, load.moves_most), (8e-6, 84e-6))


class ModelTest(unittest.TestCase):
    def test_cores_that_do_not_meet_lose_nothing(self) -> None:
        for cost in COSTS:
            for share in contention_model.shares(Load(100, 0, 0, []), cost):
                self.assertAlmostEqual(share, 1)

    def test_a_lock_that_is_always_taken_is_the_limit(self) -> None:
        load = Load(100, 0, 0, [Station("lock", 0.5, held_ns=20, is_lock=True)])
        # A hold of 20 and two lines of 15: an operation in 25 ns however many cores there are.
        self.assertAlmostEqual(contention_model.throughput(load, 1000, 15), 1 / 25, places=6)
        self.assertAlmostEqual(contention_model.throughput(load, 1, 15), 1 / (90 + 25))

    def test_the_busiest_station_bends_the_curve(self) -> None:
        load = Load(100, 0, 0, [Station("line", 1), Station("lock", 0.1, held_ns=100, is_lock=True)])
        bend, lock = (contention_model.first_bend(load, 20, only_locks=only) for only in (False, True))
        self.assertEqual(bend and (bend.station, bend.cores), ("line", (90 + 20 + 14) / 20))
        self.assertEqual(lock and (lock.station, lock.cores), ("lock", (90 + 20 + 14) / 14))
        self.assertIsNone(contention_model.first_bend(Load(100, 0, 0, []), 20))

    def test_dearer_lines_and_more_of_them_never_make_it_faster(self) -> None:
        load = Load(50, 0.1, 0.2, [Station("line", 0.3), Station("lock", 0.05, held_ns=80, is_lock=True)])
        for cost in COSTS:
            high, low = contention_model.shares(load, cost)
            self.assertGreater(high, low)
        self.assertLess(*(contention_model.throughput(load, 8, ns) for ns in (115, 46)))


class PageTest(unittest.TestCase):
    def test_the_page_names_the_first_lock(self) -> None:
        counts = contention.parse(_SAID)
        load = update_scale.load(100, [counts], {2: counts})
        seen = {"local": {4: {"hakmem": Seen(1, 2, 3), "glibc": Seen(4, 5, 6)}}}
        values = update_scale.page([2], {"local": {2: counts}}, {"local": load}, seen)
        values["commit"] = {"id": "0123456789abcdef", "modified": False}
        text = document.render(update_scale.TEMPLATE, update_scale.FILTERS, **values)
        self.assertIn("**The first lock** that bends a curve is the region lock, at", text)
        self.assertIn("| 4 | futex calls | 1.0 | 4.0 |", text)
        self.assertIn("\nCommit 0123456789ab.\n", text)
        self.assertNotIn("\n\n\n", text)


class ProgramTest(unittest.TestCase):
    def test_a_quick_count(self) -> None:
        done = subprocess.run(
            ["bench/contention", "--quick", "--workload=thread_churn", "--workload=shared_l2", "--format=json"],
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        report = json.loads(done.stdout)
        self.assertEqual(report["threads"], [2, 4])
        churn = report["workloads"]["thread_churn"]
        # A thread that begins for 100 operations and ends again is put into the list of threads.
        self.assertGreaterEqual(min(churn["threads lock, acquired"]), 10_000)
        self.assertGreater(min(churn["class locks, acquired"]), 0)
        self.assertGreater(min(report["workloads"]["shared_l2"]["other lines, steps"]), 0)

    def test_the_worker_says_what_the_schema_has(self) -> None:
        said = worker.run(contention.counting(), worker.arguments("larson", 1000, 2, 1))
        jsonschema.validate(said, json.loads(Path("bench/worker.schema.json").read_text(encoding="utf-8")))
        self.assertIn("contention", said)

    def test_wrong_arguments(self) -> None:
        for wrong in ("--threads=1", "--threads=65", "--threads=x", "--workload=none", "--rounds=15", "local"):
            done = subprocess.run(["bench/contention", wrong], stderr=subprocess.PIPE, check=False, text=True)
            self.assertEqual((done.returncode, "usage: contention" in done.stderr), (2, True), wrong)

    def test_what_ships_counts_nothing(self) -> None:
        def mentions(file: Path) -> int:
            found = subprocess.run(
                [valgrind.tool("readelf"), "--symbols", "--section-headers", "--wide", str(file)],
                stdout=subprocess.PIPE,
                check=True,
                text=True,
            )
            return found.stdout.count("contention_")

        self.assertGreater(mentions(worker.executable("worker_hakmem_counting")), 5)
        self.assertEqual(mentions(worker.library("libhakmem.so")), 0)


if __name__ == "__main__":
    unittest.main()
