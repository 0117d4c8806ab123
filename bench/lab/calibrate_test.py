# SPDX-License-Identifier: MIT
"""Libraries that are slower by a known amount, measured in rounds as in a report: manual, for a machine that is quiet.

//tools/measure:calibration_test holds the same of simulated rounds, on any machine.
"""

from __future__ import annotations

import unittest

from bench.engine import grid, worker
from tools.measure import inference, paired
from tools.measure.contender import Contender
from tools.measure.inference import Verdict

_WORKLOAD = "pair"
_OPERATIONS = 2_000_000
_ROUNDS = 31

# Some 5 % of a malloc and its free of the C library.
_LITTLE_NS = 1.0

# How well the library itself knows what it adds: a share, and the branches around its steps.
_SHARE, _MORE_NS = 0.1, 1.5


def _slow(name: str, how: str) -> Contender:
    library = worker.executable("libslow-malloc.so")
    return Contender(name, worker=worker.executable("worker_malloc"), library=library, options=(("SLOW_MALLOC", how),))


class CalibrateTest(unittest.TestCase):
    def test_what_is_added_lies_within_the_interval(self) -> None:
        chosen = [
            _slow("control", "steps:0"),
            _slow("again", "steps:0"),
            _slow("ns", "ns:20"),
            _slow("little", f"ns:{_LITTLE_NS}"),
        ]
        samples = grid.measure("calibrate", chosen, {_WORKLOAD: _OPERATIONS}, rounds_wanted=_ROUNDS, seed=1)[_WORKLOAD]
        times = {name: [worker.cpu_ns(run) for run in runs] for name, runs in samples.items()}
        base = times["control"]
        names = ("again", "ns", "little")
        estimates = [inference.estimate(paired.log_ratios(times[name], base), 1) for name in names]
        reach = inference.reach(estimates[0].ratio or paired.ONE)
        verdicts = [one.verdict for one in inference.judged(estimates, [0.0, reach, reach])]
        print(list(zip(names, estimates, verdicts)))
        self.assertNotIn(verdicts[0], (Verdict.FASTER, Verdict.SLOWER))
        for name, known in (("ns", 20.0), ("little", _LITTLE_NS)):
            with self.subTest(name):
                more = [one - other for one, other in zip(times[name], base)]
                low, high = paired.median_interval(more, 1)
                self.assertLessEqual(low, known * (1 + _SHARE) + _MORE_NS, (low, high, known))
                self.assertGreaterEqual(high, known * (1 - _SHARE) - _MORE_NS, (low, high, known))
        self.assertEqual(verdicts[1], Verdict.SLOWER)


if __name__ == "__main__":
    unittest.main()
