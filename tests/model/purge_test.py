# SPDX-License-Identifier: MIT
"""Searches the models of who gives freed memory back to the system, purge.pml, and of the queue of slabs for it,
purged.pml."""

import sys
import unittest
from pathlib import Path

# Run as a plain script, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.model.model_case import Model, ModelCase, Mutant  # noqa: E402

NOBODY_PURGES = r"\(chunk!=\d\)\|\|due"
NOBODY_PURGES_WHAT_WAS_LEFT_TO_IT = r"must_end\|\| !\(relied\)"
OUTLIVES_THE_LAST = r"\(threads==0\)&&\(\(to_join==0\)"
NOBODY_PURGES_WHAT_WAS_LEFT_TO_ONE_THAT_WAS_ENDED = r"!\(relied\)\|\| !\(due\)"

SLEEPER = ["USERS=1", "SLEEPERS=1"]

PURGE = Model(
    "purge.pml",
    mutants={
        "END_DOES_NOT_WAIT": Mutant(NOBODY_PURGES_WHAT_WAS_LEFT_TO_IT),
        "LAST_DOES_NOT_LOOK": Mutant(OUTLIVES_THE_LAST),
        "LAST_OF_ALL_HANDS_NOTHING_OVER": Mutant(NOBODY_PURGES_WHAT_WAS_LEFT_TO_ONE_THAT_WAS_ENDED, SLEEPER),
        "LEAVE_AFTER_LOOK": Mutant(NOBODY_PURGES_WHAT_WAS_LEFT_TO_IT),
        "LOOK_BEFORE_TAKE": Mutant(NOBODY_PURGES),
        "NOTE_BEFORE_FREE": Mutant(NOBODY_PURGES),
        "PURGE_LEAVES_CHUNK_FREE": Mutant(r"chunk!=\d\)"),
        "START_DOES_NOT_JOIN": Mutant(r"to_join==0"),
        "START_DOES_NOT_LOOK": Mutant(OUTLIVES_THE_LAST),
    },
    configurations={
        "": [],
        "two rounds": ["ROUNDS=2"],
        "alone": ["FEWEST=2", "ROUNDS=2"],
        "sleeper": SLEEPER,
        "alone, sleeper": [*SLEEPER, "FEWEST=2"],
    },
)

NOT_QUEUED = r"\(list==\d\)==\(\(\(free\|remote\)&resident\)!=0"

PURGED = Model(
    "purged.pml",
    mutants={
        "CLAIM_KEEPS_PURGED_FREE": Mutant(NOT_QUEUED),
        "COUNT_BEFORE_FLAG": Mutant(NOT_QUEUED),
        "FREE_IGNORES_FLAG": Mutant(NOT_QUEUED),
        "PURGE_LEAVES_SLAB_LISTED": Mutant(NOT_QUEUED),
        "UNLINK_KEEPS_FLAG": Mutant(r"!\(is_purged\)"),
    },
)


class PurgeTest(ModelCase):
    models = [PURGE, PURGED]


if __name__ == "__main__":
    unittest.main(defaultTest=["PurgeTest"])
