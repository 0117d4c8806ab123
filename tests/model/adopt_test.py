# SPDX-License-Identifier: MIT
"""Searches the models of threads that begin and end while their slabs are taken away, and of the child of a fork in the
middle of that, adopt.pml; and of a lock's word, and of fork in a handler that interrupts a thread there, lock.pml."""

import sys
import unittest
from pathlib import Path

# Run as a plain script, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.model.model_case import DEADLOCK, Model, ModelCase, Mutant  # noqa: E402

TOUCHED_BY_TWO = r"toucher==100"
RECORD_OF_TWO = r"records\[own\]\.user==100"
LOST_IN_THE_END = r"is_owned\)&&slabs\[i\]\.is_listed\)"
LOST_IN_THE_CHILD = r"odd>0\)\|\|\(slabs\[i\]\.is_listed=="
FREED_TWICE = r"slabs\[.*\.free\|slabs\[.*\.remote\)&block"

ADOPT = Model(
    "adopt.pml",
    mutants={
        "CHILD_FLUSHES_ODD": Mutant(FREED_TWICE),
        "END_KEEPS_SLAB": Mutant(LOST_IN_THE_END),
        "FORK_LEAVES_CLASS_LOCK": Mutant(r"class_lock==100"),
        "FORK_LEAVES_PURGE_LOCK": Mutant(r"purge_lock==100"),
        "FORK_LEAVES_THREADS_LOCK": Mutant(r"threads_lock==100"),
        "FORK_TAKES_CLASS_LOCK_FIRST": Mutant(DEADLOCK),
        "IDLE_DOES_NOT_HOLD": Mutant(TOUCHED_BY_TWO),
        "IDLE_KEEPS_OWNER": Mutant(LOST_IN_THE_CHILD),
        "IDLE_LEAVES_ACTIVE": Mutant(TOUCHED_BY_TWO),
        "OWNER_DOES_NOT_HOLD": Mutant(TOUCHED_BY_TWO),
        "PURGE_LEAVES_RECORD_LISTED": Mutant(r"records\[.*\]\.user==100"),
        "RECYCLE_BEFORE_FLUSH": Mutant(RECORD_OF_TWO),
    },
    configurations={"": [], "two slabs": ["SLABS=2", "BLOCKS=1"]},
)

LOCK = Model(
    "lock.pml",
    mutants={
        "FORK_LEAVES_DEPENDENTS": Mutant(DEADLOCK),
        "FORK_WAITS_FOR_GOOD": Mutant(DEADLOCK),
        "RELEASE_BY_STORE": Mutant(DEADLOCK),
        "SLEEP_WITHOUT_COMPARE": Mutant(DEADLOCK),
        "TRY_WITHOUT_FLAG": Mutant(DEADLOCK, ["THREADS=3", "HANDLERS=0"]),
    },
    configurations={"": [], "both": ["FIRST_TAKES_BOTH=1"], "three threads": ["THREADS=3", "HANDLERS=0"]},
    unreachable=r"^.?sleeps\[\w+\] = 2",  # a thread that wakes is not the one that sleeps
)


class AdoptTest(ModelCase):
    models = [ADOPT, LOCK]


if __name__ == "__main__":
    unittest.main(defaultTest=["AdoptTest"])
