# SPDX-License-Identifier: MIT
"""//bench:tiny: what a malloc and a free of 8 to 64 bytes cost on one thread."""

from __future__ import annotations

from bench.driver import cli, program
from bench.driver.arguments import whole_number

NAME = "tiny"

# Some 40 to 200 ms a run: far above the clock's and the scheduler's grain.
_ITERATIONS = {"batch_lifo": 10_000_000, "replacement": 10_000_000, "pair": 10_000_000}
_SHOWN = ("batch_lifo", "replacement")
_THREADS_MAX = 64


def main(variant: str = "") -> None:
    """Parses the command line and runs; `variant` is benchmark.Plan's."""
    parser = cli.parser(
        NAME + variant,
        "Tiny blocks, 8 to 64 bytes, on one thread: hakmem against mimalloc and glibc.\n\n"
        "batch_lifo   100 blocks allocated, then freed, the last one first\n"
        "replacement  a random one of 1,024 live blocks freed and allocated anew\n"
        "pair         one block allocated and freed at once",
    )
    cli.add_workloads(parser, "--workload", _ITERATIONS, _SHOWN)
    parser.add_argument(
        "--threads",
        type=whole_number(1, _THREADS_MAX),
        default=1,
        metavar="N",
        help="1; //bench:tiny_mt runs on several",
    )
    parsed = parser.parse_args()
    if parsed.threads != 1:
        parser.error(
            f"--threads={parsed.threads}: this benchmark runs on one thread; "
            f"several threads: bazel run //bench:tiny_mt -- --threads={parsed.threads}"
        )
    cli.execute(parsed, NAME, parsed.threads, variant)


if __name__ == "__main__":
    program.run(NAME, main)
