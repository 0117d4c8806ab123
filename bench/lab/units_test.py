# SPDX-License-Identifier: MIT
"""The tests of the laboratory that measure nothing, in one process: importing what they stand on takes longer than most."""

from __future__ import annotations

import unittest

from bench.lab import (
    alone_test,
    compare_test,
    counts_test,
    factorial_test,
    failures_test,
    forms_test,
    plan_test,
    report_test,
    targets_test,
)

_MODULES = (
    *(alone_test, compare_test, counts_test, factorial_test, failures_test),
    *(forms_test, plan_test, report_test, targets_test),
)


def load_tests(loader: unittest.TestLoader, _tests: unittest.TestSuite, _pattern: str | None) -> unittest.TestSuite:
    return unittest.TestSuite(map(loader.loadTestsFromModule, _MODULES))


if __name__ == "__main__":
    unittest.main()
