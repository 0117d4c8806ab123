# SPDX-License-Identifier: MIT
"""The sixteen combinations of the switches, named as tools/bazel/variants.bzl names targets."""

from __future__ import annotations

SWITCHES = ("p0", "p1", "p2", "p3")


def _on(number: int) -> list[str]:
    """The switches that are on in combination `number`, whose bits they are."""
    return [switch for bit, switch in enumerate(SWITCHES) if number >> bit & 1]


COMBINATIONS = {
    "_".join(_on(number)) or "none": "+".join(_on(number)) or "none" for number in range(1 << len(SWITCHES))
}
"""Name in targets, "p0_p2" -> hak_config_string(), "p0+p2"."""
