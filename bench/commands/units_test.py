# SPDX-License-Identifier: MIT
"""The tests of the programs that start no worker, in one process: importing what they stand on takes longer than most."""

from __future__ import annotations

import unittest

from bench.commands import (
    arguments_test,
    disassembly_test,
    ladder_verdict_test,
    update_guard_test,
    update_tradeoffs_test,
)

_MODULES = (arguments_test, disassembly_test, ladder_verdict_test, update_guard_test, update_tradeoffs_test)


def load_tests(loader: unittest.TestLoader, _tests: unittest.TestSuite, _pattern: str | None) -> unittest.TestSuite:
    return unittest.TestSuite(map(loader.loadTestsFromModule, _MODULES))


if __name__ == "__main__":
    unittest.main()
