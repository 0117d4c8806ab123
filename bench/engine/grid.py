# SPDX-License-Identifier: MIT
"""The grid: contenders x workloads x rounds, each point one run of a worker, in interleaved rounds."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from bench.engine import worker
from bench.engine.worker import Sample
from tools.measure import conditions, process, rounds
from tools.measure.contender import Contender
from tools.measure.rounds import Turn

Samples = dict[str, list[Sample]]
"""Contender -> its runs in rounds' order."""


def prepare() -> None:
    """What every program does before its first grid: says what of the environment the workers do not get, and makes
    sure that address spaces are laid out at random."""
    process.say_what_is_cleared(os.environ)
    conditions.randomise_layout()


def measure(
    title: str,
    contenders: Sequence[Contender],
    workloads: Mapping[str, int],
    *,
    threads: int = 1,
    rounds_wanted: int,
    seed: int,
) -> dict[str, Samples]:
    """Runs every contender on every workload once in each round; workload -> the runs.

    Args:
      title: of the line that says how far the work is.
      contenders: all of them are compared with each other.
      workloads: name -> operations of each thread.
      threads: of a run.
      rounds_wanted: rounds that count.
      seed: of the orders; a workload's random numbers change with it from round to round.
    """
    by_name = {contender.name: contender for contender in contenders}

    def measured(turn: Turn[str, str]) -> Sample:
        contender = by_name[turn.key]
        arguments = worker.arguments(turn.slot, workloads[turn.slot], threads, seed + turn.number)
        return worker.sample(contender, worker.run(contender, arguments, beside=contenders, padding=turn.padding))

    slots = {workload: list(by_name) for workload in workloads}
    with conditions.pinned(threads):
        return rounds.run(title, slots, rounds_wanted, seed, measured)
