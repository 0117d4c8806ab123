# SPDX-License-Identifier: MIT
"""The combinations of the switches and the experiments, named as tools/bazel/variants.bzl names targets."""

from __future__ import annotations

import runpy
from pathlib import Path

SWITCHES = ("p0", "p1", "p2", "p3")


def _on(number: int) -> list[str]:
    """The switches that are on in combination `number`, whose bits they are."""
    return [switch for bit, switch in enumerate(SWITCHES) if number >> bit & 1]


COMBINATIONS = {
    "_".join(_on(number)) or "none": "+".join(_on(number)) or "none" for number in range(1 << len(SWITCHES))
}
"""Name in targets, "p0_p2" -> hak_config_string(), "p0+p2"."""

_FLAGS = runpy.run_path(str(Path(__file__).parents[2] / "hakmem/flags/flags.bzl"))

SHIPPED = "_".join([*SWITCHES, _FLAGS["SHIPPED"]["classes"]])
"""What ships, as targets name it."""

EXPERIMENTS: dict[str, list[str]] = _FLAGS["EXPERIMENTS"]
"""Experiment -> its values; the first ships."""


def flipped(experiment: str, value: str) -> str:
    """What ships with another value of one experiment, as targets name it."""
    return f"{SHIPPED}_{experiment}_{value}"


FLIPPED = {
    f"{experiment}-{value}": flipped(experiment, value)
    for experiment, values in EXPERIMENTS.items()
    for value in values[1:]
}
"""A name for people, "table-129" -> name in targets."""

FLIPPED_CONFIG = {
    f"{experiment}-{value}": "+".join([*SWITCHES, f"{experiment}={value}"])
    for experiment, values in EXPERIMENTS.items()
    for value in values[1:]
}
"""The same names -> hak_config_string()."""
