# SPDX-License-Identifier: MIT
"""//bench/learning: whether `learn=elo` finds the player that a workload wants, beside each that plays throughout.

What is compared is counted: instructions by the learners' tariff for an operation, and the bytes that magazines hold
meanwhile. So a run needs no quiet machine, and gives the same figures again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from pathlib import Path

from tools.measure import arguments, program
from tools.measure.program import BenchError

NAME = "learning"
LEARNER = "elo"
PLAYERS = ("shipped", "little", "lean", "roomy", "shallow", "returning", "ahead")
UNITS = {"burst": 6000, "pair": 4000, "handover": 3000, "growth": 1000, "forty": 8000, "changing": 9600}
"""Of each workload: some millions of operations."""

_QUICK = 40
_PROGRAM = Path(__file__).with_name("workloads_p0_p1_p2_p3_fine16_learn_elo")
_BY_SITE = Path(__file__).with_name("workloads_p0_p1_p2_p3_fine16_capacity_site_learn_elo")

Costs = dict[str, tuple[float, float]]
"""Player -> cost of an operation in the second half of the run, and in all of it."""


def _sums(built: Path, line: str) -> tuple[int, int]:
    found = json.loads(line)
    if "learning" not in found:
        raise BenchError(f"{built} is not built with learn=elo")
    return found["learning"]["operations"], found["learning"]["cost"]


def cost(built: Path, workload: str, units: int, player: str, seed: int) -> tuple[float, float]:
    """One run of the workload."""
    own = {"HAKMEM_LEARN_PLAYER": player, "HAKMEM_LEARN_SEED": str(seed), "HAKMEM_PURGE_DELAY_MS": "-1"}
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HAKMEM_")}
    done = subprocess.run(
        [built, workload, str(units)], env={**kept, **own}, capture_output=True, text=True, check=False
    )
    if done.returncode != 0 or done.stderr:
        raise BenchError(f"{workload} with {player} ended with {done.returncode}: {done.stderr.strip()}")
    (half_operations, half_cost), (operations, whole_cost) = (_sums(built, line) for line in done.stdout.splitlines())
    return (whole_cost - half_cost) / (operations - half_operations), whole_cost / operations


def best(costs: Costs, which: int) -> float:
    """The least that one of the fixed players costs."""
    return min(costs[player][which] for player in PLAYERS)


def row(workload: str, costs: Costs) -> str:
    figures = [f"{costs[player][0]:.2f}" for player in (*PLAYERS, LEARNER)]
    ratios = [f"{costs[LEARNER][which] / best(costs, which):.3f}" for which in (0, 1)]
    return "| " + " | ".join([workload, *figures, *ratios]) + " |"


def head() -> str:
    columns = ["workload", *PLAYERS, LEARNER, "by the best, at the end", "in all"]
    return "| " + " | ".join(columns) + " |\n|" + "---|" * len(columns)


def main() -> None:
    """Parses the command line, runs everything and prints."""
    parser = argparse.ArgumentParser(prog=NAME, description=(__doc__ or "").split("\n")[0], allow_abbrev=False)
    parser.add_argument("--quick", action="store_true", help=f"a {_QUICK}th of the units, in which little is learned")
    parser.add_argument(
        "--site", action="store_true", help="a learner for each place in the program: capacity=site too"
    )
    arguments.add_seed(parser, "for HAKMEM_LEARN_SEED")
    parsed = parser.parse_args()
    built = _BY_SITE if parsed.site else _PROGRAM
    print(head())
    for workload, units in UNITS.items():
        units = units // _QUICK if parsed.quick else units
        costs = {player: cost(built, workload, units, player, parsed.seed) for player in (*PLAYERS, LEARNER)}
        print(row(workload, costs), flush=True)


if __name__ == "__main__":
    program.run(NAME, main)
