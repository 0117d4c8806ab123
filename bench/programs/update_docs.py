# SPDX-License-Identifier: MIT
"""//bench/programs:update_docs: writes docs/programs.md of the workspace, every program under every allocator.

All programs are measured, and all rows are written, good and bad. --from takes the JSON of an earlier run of
//bench/programs in place of a new one; it has to hold all programs too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.engine import document
from bench.programs import command_line, measurement, outcome_file, programs, tables
from tools.measure import arguments, program
from tools.measure.program import BenchError

NAME = "update_docs"
_OUTPUT = Path("docs/programs.md")
_FOLDER = Path(__file__).parent


def page(whole: dict[str, Any], newer: dict[str, Any] | None = None) -> str:
    """The document of an outcome; `newer` is one beside the peers of a newer distribution, which may have fewer programs."""
    if newer is not None and not newer["rounds"]:
        raise BenchError("the outcome of the newer distribution has no ratios: it was run with --once")
    missing = set(measurement.WORKLOADS) - {result["program"] for result in whole["programs"]}
    if missing or not whole["rounds"]:
        what = ", ".join(sorted(missing)) or "ratios"
        raise BenchError(f"the document needs all programs with their ratios; missing: {what}")
    return document.render(
        _FOLDER / "programs.md.j2",
        filters={"seconds": tables.seconds, "mebibytes": tables.mebibytes},
        command=f"bazel run //bench/programs:{NAME}",
        whole=whole,
        newer=newer,
        ratios=tables.ratios,
        failures=tables.failures,
        means=tables.means,
    )


def main() -> None:
    """Measures, or reads, and writes the page."""
    parser = command_line.parser(NAME, __doc__ or "", has_format=False)
    parser.add_argument(
        "--from", dest="earlier", metavar="FILE", help="what //bench/programs -- --json=FILE wrote; measures nothing"
    )
    parser.add_argument(
        "--debian13",
        metavar="FILE",
        help="what //bench/debian13 -- programs --json=FILE wrote: its tables stand at the end",
    )
    parsed = parser.parse_args()
    workspace = arguments.workspace(f"//bench/programs:{NAME}")
    earlier = parsed.earlier and outcome_file.load(arguments.caller_path(parsed.earlier))
    newer = outcome_file.load(arguments.caller_path(parsed.debian13)) if parsed.debian13 else None
    if not earlier:
        parsed.json = str(arguments.kept(parsed.json, "programs.json"))
    path = workspace / _OUTPUT
    whole = earlier or programs.measured(parser, parsed)
    if not earlier:
        programs.keep(parsed, whole)
    path.write_text(page(whole, newer))
    print(f"{path} written")


if __name__ == "__main__":
    program.run(NAME, main)
