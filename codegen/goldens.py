# SPDX-License-Identifier: MIT
"""The golden headers, checked in under golden/: those of the spacings that ship or that the sixteen combinations have.

What the laboratory alone builds (the spec `fine`, a table of granularity 8) is held by header_test and generate_test.
"""

from dataclasses import dataclass
from pathlib import Path

from codegen import generate

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Golden:
    spec: str
    granularity: int

    @property
    def path(self) -> str:
        """Relative to the workspace."""
        return f"codegen/golden/hak_classes_{self.spec}_g{self.granularity}.h"


GOLDENS = [Golden("pow2", 1), Golden("fine16", 1)]
"""The spacing of the sixteen combinations, and the one that ships."""


def fresh_header(golden: Golden) -> str:
    """What the generator makes of the golden's spec."""
    return generate.header_for(str(FOLDER / "specs" / f"{golden.spec}.spec"), golden.granularity)
