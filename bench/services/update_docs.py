# SPDX-License-Identifier: MIT
"""//bench/services:update_docs: writes docs/services.md, docs/services.svg and the services of README.md.

All services are measured, under every allocator, and all rows are written, good and bad. --from takes the JSON of an
earlier run of //bench/services in place of a new one; it has to hold all services too, or to say which are missing.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from bench.engine import document
from bench.programs import outcome_file
from bench.services import plot, services, tables
from bench.services.registry import SERVICES
from tools.measure import arguments, program
from tools.measure.program import BenchError

NAME = "update_docs"
COMMAND = f"bazel run //bench/services:{NAME}"
_FOLDER = Path(__file__).parent
_LOSS_PERCENT = round(100 * (tables.LOSS - 1))
_MARKED = re.compile(rf"(<!-- services: {re.escape(COMMAND)} -->\n).*?(<!-- end of services -->)", re.DOTALL)

Row = dict[str, Any]


def _cells(whole: Row, service: Row, key: str) -> list[str]:
    """Each allocator's figure; hakmem's is bold where a peer's is smaller."""
    cells = [tables.shown(tables.row_of(service, name), key) for name in tables.names(whole)]
    by_best = tables.by_best(service, key)
    return [f"**{cells[0]}**" if by_best is not None and by_best > 1 else cells[0], *cells[1:]]


def page(whole: Row) -> str:
    """docs/services.md of an outcome."""
    told = {one["service"] for one in [*whole["services"], *whole["missing"]]}
    absent = [name for name in SERVICES if name not in told]
    if absent:
        raise BenchError(f"the document needs all services; missing: {', '.join(absent)}")
    failed = {(row["program"], row["contender"]) for row in whole["failures"]}
    for service in whole["services"]:
        for name in tables.names(whole):
            if tables.row_of(service, name) is None and (service["service"], name) not in failed:
                raise BenchError(f"the run is partial: {service['service']} has no figure under {name}")
    return document.render(
        _FOLDER / "services.md.j2",
        command=COMMAND,
        whole=whole,
        names=tables.names(whole),
        worst_first=tables.worst_first,
        losses=tables.losses,
        loss_percent=_LOSS_PERCENT,
        figures=tables.FIGURES,
        cells=_cells,
        row_of=tables.row_of,
        given_back=tables.given_back,
    )


def _sentence(whole: Row, service: Row, key: str) -> str:
    """A table's line: the service, and what each allocator holds."""
    cells = [tables.shown(tables.row_of(service, name), key) for name in tables.names(whole)]
    return f"| {service['service']} | {' | '.join(cells)} |"


def excerpt(whole: Row) -> str:
    """What README shows: where hakmem is best and where it is worst beside the best of its peers, idle."""
    known = [service for service, by_best in tables.worst_first(whole, "idle_bytes") if by_best is not None]
    if not known:
        raise BenchError("no service has an idle time under hakmem and a peer: README has nothing to show")
    names = tables.names(whole)
    failed = [service for service in whole["services"] if tables.row_of(service, names[0]) is None]
    shown = [known[-1], *failed, known[0]] if len(known) > 1 else [*known, *failed]
    lost = tables.losses(whole, "idle_bytes")
    lines = [
        "",
        f"Resident MiB of a service that has had nothing to do for {whole['idle_seconds']:g} seconds: where hakmem does best,",
        "and where it does worst, beside the best of the others. All of them, over time: [docs/services.md](docs/services.md).",
        "",
        f"| service | {' | '.join(names)} |",
        f"|---|{'---|' * len(names)}",
        *(_sentence(whole, service, "idle_bytes") for service in shown),
        "",
        f"hakmem holds {_LOSS_PERCENT} % more than the best of the others, or fails, in "
        f"{len(lost)} of {len(known) + len(failed)}{': ' if lost else ''}{', '.join(lost)}.",
        "",
    ]
    return "\n".join(lines) + "\n"


def marked(readme: str, text: str) -> str:
    """README with `text` between its marks."""
    written, count = _MARKED.subn(lambda match: match[1] + text + match[2], readme)
    if count != 1:
        raise BenchError(f"README.md has {count} places for the services; one is wanted")
    return written


def main() -> None:
    """Measures, or reads, and writes."""
    own = services.parser(NAME, __doc__ or "", has_format=False)
    own.add_argument(
        "--from", dest="earlier", metavar="FILE", help="what //bench/services -- --json=FILE wrote; measures nothing"
    )
    parsed = own.parse_args()
    workspace = arguments.workspace(f"//bench/services:{NAME}")
    readme = workspace / "README.md"
    if not parsed.earlier:
        if set(parsed.services) != set(SERVICES):
            own.error("--services: the document needs all of them")
        marked(readme.read_text(encoding="utf-8"), "")  # found out before an hour has gone
        parsed.json = str(arguments.kept(parsed.json, "services.json"))
    whole = (
        outcome_file.load(arguments.caller_path(parsed.earlier), tables.SCHEMA, "//bench/services")
        if parsed.earlier
        else services.measured(own, parsed)
    )
    if not parsed.earlier:
        services.keep(parsed, whole)
    written = {
        workspace / "docs/services.md": page(whole),
        workspace / "docs/services.svg": plot.draw(whole),
        readme: marked(readme.read_text(encoding="utf-8"), excerpt(whole)),
    }
    for path, text in written.items():
        path.write_text(text, encoding="utf-8")
        print(f"{path} written")
    for row in whole["failures"]:
        print(f"{NAME}: {row['why']}", file=sys.stderr)
    if whole["failures"]:
        sys.exit(program.FAILED)


if __name__ == "__main__":
    program.run(NAME, main)
