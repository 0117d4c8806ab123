# SPDX-License-Identifier: MIT
"""//bench/programs:update_docs: writes docs/programs.md of the workspace, every program under every allocator.

All programs are measured, and all rows are written, good and bad. --from takes the JSON of an earlier run of
//bench/programs in place of a new one; it has to hold all programs too.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from bench.driver import program
from bench.driver.program import BenchError
from bench.programs import cli, kept, measure, programs, report

NAME = "update_docs"
_OUTPUT = Path("docs/programs.md")
_FOLDER = Path(__file__).parent


def page(whole: dict[str, Any]) -> str:
    """The document of an outcome."""
    import jinja2

    missing = set(measure.WORKLOADS) - {result["program"] for result in whole["programs"]}
    if missing or not whole["rounds"]:
        what = ", ".join(sorted(missing)) or "ratios"
        raise BenchError(f"the document needs all programs with their ratios; missing: {what}")
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    environment.filters |= {"interval": report.interval, "seconds": report.seconds, "mebibytes": report.mebibytes}
    return environment.from_string((_FOLDER / "programs.md.j2").read_text()).render(
        command=f"bazel run //bench/programs:{NAME}",
        whole=whole,
        peers=report.peers(whole),
        means={name: report.means(whole, name) for name in report.FIGURES},
    )


def main() -> None:
    """Measures, or reads, and writes the page."""
    parser = cli.parser(NAME, __doc__ or "")
    parser.add_argument(
        "--from", dest="earlier", metavar="FILE", help="what //bench/programs -- --json=FILE wrote; measures nothing"
    )
    parsed = parser.parse_args()
    workspace = os.environ.get("BUILD_WORKSPACE_DIRECTORY")
    if workspace is None:
        raise BenchError(f"the workspace is not known: start this with `bazel run //bench/programs:{NAME}`")
    whole = kept.load(programs.caller_path(parsed.earlier)) if parsed.earlier else programs.measured(parsed)
    path = Path(workspace) / _OUTPUT
    path.write_text(page(whole))
    print(f"{path} written")


if __name__ == "__main__":
    program.run(NAME, main)
