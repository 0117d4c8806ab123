# SPDX-License-Identifier: MIT
"""stress-ng: its stressors of malloc and of memory, each verifying what it reads."""

from __future__ import annotations

import re

from bench.programs.workloads.errors import expect
from bench.programs.workloads.session import Session
from bench.programs.workloads.workload import Need, Outcome, Workload

_OPERATIONS = {"malloc": 40_000, "vm": 3_000}

# A stressor stops at its count of operations, give or take what its processes had in hand, or at this time.
_LIMIT_SECONDS = 600
_COUNTED_LEAST = 0.95


class Stressors(Workload):
    """With --verify a wrong byte is a failure, which the exit status and the last line say."""

    name = "stress_ng"
    task = (
        "stress-ng --verify: malloc in two processes of two threads, with frequent malloc_trim, "
        f"{_OPERATIONS['malloc']:,} operations; vm, {_OPERATIONS['vm']:,}"
    )
    # Seen with 0.15.06: calloc(5, 1), and an address stored there.
    misuse = "stress-ng --verify writes 8 bytes to blocks of fewer"
    needs = (Need("/usr/bin/stress-ng", "stress-ng"),)
    programs = frozenset({"stress-ng"})

    def run(self, session: Session) -> Outcome:
        done = session.run(
            "stress-ng", "--malloc", "2", "--malloc-pthreads", "2", "--malloc-bytes", "64K", "--malloc-max", "8192",
            "--malloc-ops", str(_OPERATIONS["malloc"]), "--vm", "1", "--vm-bytes", "32M",
            "--vm-ops", str(_OPERATIONS["vm"]), "--verify", "--timeout", f"{_LIMIT_SECONDS}s", "--metrics-brief",
        )  # fmt: skip
        report = (done.stdout + done.stderr).decode()
        expect(" successful run completed" in report, f"it did not succeed: {report}")
        # Process numbers and times are all else that it prints: the counts, within reason, are what can be compared.
        reached = []
        for stressor, operations in _OPERATIONS.items():
            counted = re.search(rf" {stressor} +([0-9]+) ", report)
            count = int(counted[1]) if counted else 0
            expect(count >= _COUNTED_LEAST * operations, f"{stressor} did {count} operations of {operations}: {report}")
            reached.append(f"{stressor} reached {operations}")
        return Outcome({"verdict": "\n".join(reached).encode()})


WORKLOADS = (Stressors(),)
