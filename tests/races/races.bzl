# SPDX-License-Identifier: MIT
"""Test programs built with delays."""

load("//tools/bazel:variants.bzl", "hak_disturb_binary")

def disturbed(programs):
    """Targets TEST_off, TEST_exact and TEST_full: the test, as it ships but for the guard, with delays.

    Args:
      programs: labels of hak_tests, each with the values of guard that it is built with.

    Returns:
      The targets.
    """
    targets = []
    for label, guards in programs.items():
        for guard in guards:
            name = label.split(":")[1] + "_" + guard
            hak_disturb_binary(
                name = name,
                actual = label,
                guard = guard,
                tags = ["manual"],
            )
            targets.append(":" + name)
    return targets
