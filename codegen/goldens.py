# SPDX-License-Identifier: MIT
"""The golden headers: one for each spec and granularity, as checked in under golden/."""

from dataclasses import dataclass
from pathlib import Path

from codegen import generate
from codegen.class_header import GRANULARITY_SHIFTS

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Golden:
    spec: str
    granularity: int

    @property
    def path(self) -> str:
        """Relative to the workspace."""
        return f"codegen/golden/hak_classes_{self.spec}_g{self.granularity}.h"


GOLDENS = [Golden(spec, granularity) for spec in ("pow2", "fine", "fine16") for granularity in GRANULARITY_SHIFTS]


def fresh_header(golden: Golden) -> str:
    """What the generator makes of the golden's spec."""
    return generate.header_for(str(FOLDER / "specs" / f"{golden.spec}.spec"), golden.granularity)
