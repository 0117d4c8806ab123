# SPDX-License-Identifier: MIT
"""//bench:tiny_mt: what tiny blocks cost when several threads allocate, and free each other's blocks."""

from __future__ import annotations

from bench.driver import cli, program
from bench.driver.arguments import whole_number

NAME = "tiny_mt"

# Of each thread; some 40 to 400 ms a run.
_ITERATIONS = {"handover": 3_000_000, "local": 3_000_000}
_SHOWN = ("handover", "local")

# WORKLOAD_THREADS_MAX of workload.h.
_THREADS_MAX = 64


def main(variant: str = "") -> None:
    """Parses the command line and runs; `variant` is benchmark.Plan's."""
    parser = cli.parser(
        NAME + variant,
        "Tiny blocks, 8 to 64 bytes, on several threads: hakmem against mimalloc and glibc.\n\n"
        "handover  each thread runs the patterns of //bench:tiny for itself, and every third block goes to the\n"
        "          next thread, which frees it\n"
        "local     each thread runs the patterns of //bench:tiny for itself",
    )
    cli.add_workloads(parser, "--workload", _ITERATIONS, _SHOWN)
    parser.add_argument(
        "--threads",
        type=whole_number(1, _THREADS_MAX),
        default=2,
        metavar="N",
        help=f"from 1 to {_THREADS_MAX} (default: %(default)s)",
    )
    parsed = parser.parse_args()
    cli.execute(parsed, NAME, parsed.threads, variant)


if __name__ == "__main__":
    program.run(NAME, main)
