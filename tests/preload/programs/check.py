# SPDX-License-Identifier: MIT
"""The test of one program family: each of its workloads under glibc, then under the library; both must agree.

    check --preload=LIBRARY [--seed=N] FAMILY...

Exit status 0 where all is well, 1 where something is wrong or a program is missing, 2 for wrong arguments.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from bench.programs.workloads import allocator, registry, runner
from bench.programs.workloads.errors import CheckError


def check_family(family: str, preload: Path, seed: int, name: str = "the library") -> None:
    """Raises CheckError for the first workload of the family that is not as it has to be; says how each went."""
    with runner.scratch_folder() as scratch:
        public = allocator.public_folder(scratch / "public")
        tools = allocator.tools(public)
        reference, library = allocator.glibc(), allocator.library(name, preload, public)
        for workload in (whole.reduced() for whole in registry.FAMILIES[family]):
            started = time.monotonic()
            runs = runner.Runner(workload, tools, scratch / workload.name, seed)
            expected = runs.run(reference, watched=True)
            runner.check(runs.run(library, watched=True), expected, library)
            size = sum(len(output) for output in expected.outcome.outputs.values())
            print(
                f"{workload.name}: {len(expected.outcome.outputs)} outputs, {size:,} bytes, equal to those under "
                f"glibc; {time.monotonic() - started:.1f} s",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="check",
        description=__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--preload", required=True, type=Path, metavar="LIBRARY", help="the allocator under test")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the inputs (default: %(default)s)")
    parser.add_argument("families", nargs="+", choices=tuple(registry.FAMILIES), metavar="FAMILY")
    parsed = parser.parse_args()
    # Bazel's limit of time comes as SIGTERM: servers are ended and folders go.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    failed = False
    for family in parsed.families:
        try:
            check_family(family, parsed.preload, parsed.seed)
        except CheckError as error:
            print(f"{family}: {error}", file=sys.stderr)
            failed = True
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
