# SPDX-License-Identifier: MIT
"""//bench:update_golden: writes golden/hot_path.json of the workspace from what the sixteen builds execute now.

With another compiler than Debian 12's, that compiler's file beside it."""

from __future__ import annotations

import argparse
import json

from bench.commands import hot_path
from bench.engine.variants import COMBINATIONS
from tools.measure import arguments, program, progress

NAME = "update_golden"


def main() -> None:
    """Measures, writes and says what changed."""
    argparse.ArgumentParser(prog=NAME, description=__doc__, allow_abbrev=False).parse_args()
    workspace = arguments.workspace("//bench:update_golden")
    profiles = {combination: hot_path.profile(combination) for combination in progress.shown(NAME, list(COMBINATIONS))}
    path = workspace / hot_path.golden_of(hot_path.golden_object(profiles)["compiler"])
    if path.exists():
        for line in hot_path.differences(json.loads(path.read_text()), hot_path.golden_object(profiles)):
            print(line)
    path.write_text(hot_path.golden_text(profiles))
    print(f"{path} written")


if __name__ == "__main__":
    program.run(NAME, main)
