# SPDX-License-Identifier: MIT
"""The report as one HTML page that needs nothing but itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.lab import contenders, plots, table, views
from tools.measure.table import MIB

Row = dict[str, Any]

_TEMPLATE = Path(__file__).with_name("page.html.j2")


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


def render(report: Row) -> str:
    """The whole page."""
    import jinja2
    import markupsafe

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=True, trim_blocks=False)
    environment.globals.update(
        percent=table.percent,
        interval=table.interval,
        fragmentation=views.fragmentation,
        tail=views.tail,
        code_bytes=views.code_bytes,
        mib=MIB,
    )
    libraries = views.against_peers(report)
    of_peer = {name: [row for row in libraries if row["other"] == name] for name in views.peers(report)}

    def drawn(value: Any) -> Any:
        """Drawings are markup already."""
        if isinstance(value, dict):
            return {key: drawn(inner) for key, inner in value.items()}
        return markupsafe.Markup(value) if isinstance(value, str) and value.startswith("<svg") else value

    switches = _switches(report)
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        report=report,
        caption=table.CAPTION,
        notes=table.notes(report),
        losses=views.losses(report),
        wins=views.wins(report),
        memory_losses=views.memory_losses(report),
        latency_losses=views.latency_losses(report),
        quantiles=views.quantiles(report),
        heat_map=drawn(plots.heat_map(report)) if libraries else None,
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
        memory_plot=drawn(plots.memory(report)) if report["memory"] else None,
    )
