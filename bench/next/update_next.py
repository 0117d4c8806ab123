# SPDX-License-Identifier: MIT
"""//bench:update_next: writes docs/experiments.md of the workspace, what each experiment is worth.

--from takes the JSON of an earlier run of //bench:next in place of a new one; it has to be complete and of all experiments.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from bench.engine import document, variants
from bench.lab import contenders, table as lab_table
from bench.next import next as measuring, tables
from tools.measure import arguments, program
from tools.measure.inference import Verdict
from tools.measure.program import BenchError

NAME = "update_next"
OUTPUT = Path("docs/experiments.md")
TEMPLATE = Path(__file__).with_name("experiments.md.j2")

# Without them there is no page.
_PARTS = {
    *(
        "complete",
        "ended_by",
        "experiments",
        "failures",
        "hot_paths",
        "instructions",
        "machine",
        "notes",
        "peak",
        "programs",
    ),
    *("rounds", "seed", "ships", "time"),
}


def _loaded(path: Path) -> dict[str, Any]:
    try:
        whole: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BenchError(f"{path}: {error}") from error
    if not isinstance(whole, dict) or whole.get("benchmark") != measuring.NAME or not _PARTS <= whole.keys():
        raise BenchError(f"{path} is no outcome of //bench:{measuring.NAME}")
    return whole


def page(whole: dict[str, Any]) -> str:
    """The document of an outcome."""
    if not whole["complete"]:
        raise BenchError(f"the document needs a complete outcome; this one is partial ({whole['ended_by']})")
    if whole["failures"] or whole["programs"]["failures"]:
        raise BenchError("the document needs an outcome in which nothing failed")
    missing = [name for name in variants.FLIPPED if name not in whole["experiments"]]
    if missing:
        raise BenchError(f"the document needs an outcome of all experiments; missing: {', '.join(missing)}")
    return document.render(
        TEMPLATE,
        command=f"bazel run //bench:{NAME}",
        whole=whole,
        shipped=whole["hot_paths"][contenders.SHIPPED],
        kinds=tables.KINDS,
        summary={row["name"]: row for row in tables.summary(whole)},
        losses=tables.decided(whole, Verdict.SLOWER),
        gains=tables.decided(whole, Verdict.FASTER),
        rows=tables.rows,
        interval=lab_table.interval,
        cell=lab_table.cell,
    )


def _given(parsed: argparse.Namespace, own: argparse.ArgumentParser) -> list[str]:
    """Options of a measurement that are not as they are by default."""
    options = {"workloads": "--workload", "programs": "--programs", "quick": "--quick", "rounds": "--rounds"}
    options |= {"operations": "--operations", "seed": "--seed", "json": "--json"}
    return [option for name, option in options.items() if getattr(parsed, name) != own.get_default(name)]


def main() -> None:
    """Measures, or reads, and writes the page."""
    own = measuring.parser(
        NAME, "Writes docs/experiments.md: of all experiments, measured now or by //bench:next before."
    )
    own.add_argument(
        "--from",
        dest="kept",
        type=arguments.caller_path,
        metavar="FILE",
        help="what //bench:next -- --json=FILE wrote; measures nothing",
    )
    own.set_defaults(experiments=[])
    parsed = own.parse_args()
    workspace = arguments.workspace(f"//bench:{NAME}")
    if parsed.kept is not None and not parsed.kept.is_file():
        own.error(f"argument --from: '{parsed.kept}' is no file")
    if parsed.kept is not None and (given := _given(parsed, own)):
        own.error(f"argument --from: measures nothing, and cannot go with {', '.join(given)}")
    if parsed.kept is None:
        # Also of an outcome that gives no document, since something failed: it took an hour.
        parsed.json = arguments.kept(parsed.json, "next.json")
        whole = measuring.measured(parsed, own)
        measuring.keep(parsed, whole)
    else:
        whole = _loaded(parsed.kept)
    text = page(whole)
    path = workspace / OUTPUT
    path.write_text(text, encoding="utf-8")
    print(f"{path} written")


if __name__ == "__main__":
    program.run(NAME, main)
