# SPDX-License-Identifier: MIT
"""//bench:allocators: scenarios of programs that work in large blocks, and in blocks of every size."""

from __future__ import annotations

from bench.driver import cli, program

NAME = "allocators"

# Some 10 to 70 ms a run where blocks are reused without page faults, up to a second where they are not.
_ITERATIONS = {"json": 200_000, "mir": 10_000, "vm": 20_000, "mixed": 100_000}


def main(variant: str = "") -> None:
    """Parses the command line and runs; `variant` is benchmark.Plan's."""
    parser = cli.parser(
        NAME + variant,
        "Scenarios on one thread, memory touched: hakmem against mimalloc and glibc.\n\n"
        "json   64 KiB: 8 documents in flight, the oldest goes first; every page is written\n"
        "mir    256 KiB: 4 nested arenas; a random part from the front is written\n"
        "vm     2 MiB: 2 segments; the first quarter and then one page in eight is written\n"
        "mixed  8 bytes to 4 MiB from all pools, a random one of 256 blocks replaced; every page is written",
    )
    cli.add_workloads(parser, "--scenario", _ITERATIONS, tuple(_ITERATIONS))
    cli.execute(parser.parse_args(), NAME, 1, variant)


if __name__ == "__main__":
    program.run(NAME, main)
