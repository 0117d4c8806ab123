# SPDX-License-Identifier: MIT
"""The report as one HTML page that needs nothing but itself."""

from __future__ import annotations

import math
import statistics
from functools import partial
from pathlib import Path
from typing import Any

from bench.lab import contenders, panels, plots, table, views
from tools.measure.table import MIB

Row = dict[str, Any]

_TEMPLATE = Path(__file__).with_name("page.html.j2")
_SHEET = Path(__file__).with_name("page.css")


def _switches(report: Row) -> Row:
    """What the page shows of the families of switches."""
    families = [
        family
        for family in ("switches", contenders.COMPILED_IN)
        if any(views.ladder(report, family, workload) for workload in views.workloads(report, family))
    ]
    ran = {
        family: [name for name in views.workloads(report, family) if views.ladder(report, family, name)]
        for family in families
    }
    return {
        "ladders": {family: plots.ladder(report, family) for family in families},
        "ladder_rows": {
            family: {name: views.ladder(report, family, name) for name in ran[family]} for family in families
        },
        "switch_rows": {
            family: {name: views.switch_rows(report, family, name) for name in ran[family]} for family in families
        },
        "effect_plots": {
            family: {name: plots.effects(report, family, name) for name in ran[family]} for family in families
        },
    }


def _strength(row: Row) -> int:
    """How strong the colour of a decided ratio is, of 1 to 4: from some per cent to twice as fast, or as slow."""
    distance = abs(math.log2(row["ratio"]))
    return 1 + sum(distance > limit for limit in (0.1, 0.3, 0.7))


def surroundings() -> Any:
    """What the pages are made with; `sheet` is their style."""
    import jinja2
    import markupsafe

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=True, trim_blocks=False)
    environment.globals["sheet"] = markupsafe.Markup(_SHEET.read_text(encoding="utf-8"))
    return environment


def drawn(value: Any) -> Any:
    """`value` with its drawings as the markup that they are already."""
    import markupsafe

    if isinstance(value, dict):
        return {key: drawn(inner) for key, inner in value.items()}
    return markupsafe.Markup(value) if isinstance(value, str) and value.startswith("<svg") else value


def render(report: Row) -> str:
    """The whole page."""
    environment = surroundings()
    environment.globals.update(
        percent=table.percent,
        interval=table.interval,
        fragmentation=views.fragmentation,
        tail=views.tail,
        code_bytes=views.code_bytes,
        mib=MIB,
    )
    libraries = views.against_peers(report)
    of_peer = {name: [row for row in libraries if views.peer(report, row) == name] for name in views.peers(report)}
    style = panels.styles(views.libraries(report))

    switches = _switches(report)
    text: str = environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        report=report,
        caption=table.CAPTION,
        notes=table.notes(report),
        losses=views.losses(report),
        wins=views.wins(report),
        memory_losses=views.memory_losses(report),
        latency_losses=views.latency_losses(report),
        quantiles=views.quantiles(report),
        matrix=views.by_workload(libraries, lambda row: views.peer(report, row)),
        strength=_strength,
        peer=partial(views.peer, report),
        failed=partial(views.failed, report),
        subject=views.subject(report),
        compared=views.what_is_compared(report),
        style=style,
        distributions=drawn(panels.distributions(report, style)),
        tails={call: drawn(panels.tails(report, style, call)) for call in ("alloc", "free")},
        memory=drawn(panels.memory(report, style)),
        per_operation=views.per_operation(report),
        clock=partial(views.clock, report),
        peaks=views.peaks(report),
        all_by_all=views.all_by_all(report),
        middle=statistics.median,
        means={name: views.geometric_mean(rows) for name, rows in of_peer.items()},
        tallies={name: views.tally(rows) for name, rows in of_peer.items()},
        decided=[verdict.value for verdict in views.DECIDED],
        ratio_plots={name: drawn(plots.ratios(report, name)) for name in of_peer},
        ladders=drawn(switches["ladders"]),
        ladder_rows=switches["ladder_rows"],
        switch_rows=switches["switch_rows"],
        effect_plots=drawn(switches["effect_plots"]),
        guards=views.guards(report),
        others=views.others(report),
    )
    return text
