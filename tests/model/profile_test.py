# SPDX-License-Identifier: MIT
"""Searches the models of what sampled blocks are noted in, on a machine that shows stores in any order: the profile's
table, profile.pml, and the table of sampled blocks that were freed, freed.pml."""

import sys
import unittest
from pathlib import Path

# Run as a plain script, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.model.model_case import Model, ModelCase, Mutant  # noqa: E402

MORE_FREED_THAN_ALLOCATED = r"allocated>=freed"
NOT_WHOLE = r"used.*visible\["
KEPT_OTHERWISE = r"kept==1"

PROFILE = Model(
    "profile.pml",
    mutants={
        "ALLOCATIONS_FIRST": Mutant(MORE_FREED_THAN_ALLOCATED),
        "COUNT_BEHIND_LOCK": Mutant(MORE_FREED_THAN_ALLOCATED),
        "INDEX_RELAXED": Mutant(r"2\+entry\)-1.*!=0"),
        "NO_LOOK_UNDER_LOCK": Mutant(KEPT_OTHERWISE),
        "NO_RECORDS_LOCK": Mutant(KEPT_OTHERWISE),
        "USED_FIRST": Mutant(NOT_WHOLE),
    },
)

SITES_OF_ANOTHER = r"again!=1.*allocated==1"

FREED = Model(
    "freed.pml",
    mutants={
        name: Mutant(SITES_OF_ANOTHER)
        for name in ["BOTH_WRITE", "END_RELAXED", "NO_MARK", "NO_SECOND_LOOK", "SITES_BEFORE_MARK"]
    },
)


class ProfileTest(ModelCase):
    models = [PROFILE, FREED]


if __name__ == "__main__":
    unittest.main(defaultTest=["ProfileTest"])
