# SPDX-License-Identifier: MIT
"""The tests of these modules but for that of the calibration, in one process: to begin one takes longer than most."""

from __future__ import annotations

import unittest

from tools.measure import (
    conditions_test,
    files_test,
    inference_test,
    paired_test,
    peers_test,
    process_test,
    progress_test,
    quiet_test,
)

_MODULES = (
    conditions_test,
    files_test,
    inference_test,
    paired_test,
    peers_test,
    process_test,
    progress_test,
    quiet_test,
)


def load_tests(loader: unittest.TestLoader, _tests: unittest.TestSuite, _pattern: str | None) -> unittest.TestSuite:
    return unittest.TestSuite(map(loader.loadTestsFromModule, _MODULES))


if __name__ == "__main__":
    unittest.main()
