# SPDX-License-Identifier: MIT
"""Writes the dashboard for Grafana, of what `hakmem export` serves to Prometheus, as JSON.

    dashboard.py --output hakmem.json

Exit status 0: it is written. Exit status 2: standard error says what was wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Sequence

STATUS_REFUSED = 2  # argparse's own status for wrong arguments.

# Grafana's grid has 24 columns.
_ACROSS = 24
_HEIGHT = 8
_SCHEMA_VERSION = 36  # of Grafana 9; later ones read it as well

_SOURCE = {"type": "prometheus", "uid": "${source}"}
_CHOSEN = '{instance=~"$instance",command=~"$command",pid=~"$pid"}'
_OF_PROCESS = "sum by (instance, command, pid) "
_PROCESS = "{{command}} {{pid}}"


@dataclass(frozen=True)
class Panel:
    title: str
    meaning: str
    unit: str
    """Grafana's name of it."""
    queries: tuple[tuple[str, str], ...]
    """Expression and legend. @ stands for the chosen processes."""
    width: int = 12
    kind: str = "timeseries"
    is_stacked: bool = False


def _rate(metric: str) -> str:
    return f"sum(rate({metric}@[$__rate_interval]))"


PANELS = (
    Panel(
        "Live",
        "Allocated and not freed, at the size of the class.",
        "bytes",
        ((f"{_OF_PROCESS}(hakmem_live_bytes@)", _PROCESS),),
    ),
    Panel(
        "Growth of live bytes a minute",
        "What stays above zero for long is a leak, or a cache without bounds: `hakmem leaks PID` names the calls.",
        "bytes",
        ((f"60 * {_OF_PROCESS}(deriv(hakmem_live_bytes@[5m]))", _PROCESS),),
    ),
    Panel(
        "Where the memory is",
        "live: blocks of the program. cached: free blocks in threads' magazines. free: other free blocks of slabs, of which "
        "not all is resident. decaying: free, and not given back yet. own: hakmem's own data, at most.",
        "bytes",
        (
            ("sum(hakmem_live_bytes@)", "live"),
            ("sum(hakmem_magazine_bytes@)", "cached"),
            ("sum(hakmem_slab_free_bytes@)", "free"),
            ("sum(hakmem_decaying_bytes@)", "decaying"),
            ("sum(hakmem_metadata_bytes@)", "own"),
        ),
        is_stacked=True,
    ),
    Panel(
        "Resident, and held by hakmem",
        "Resident memory far above what is held is not malloc's: mappings, stacks, a runtime's own heap.",
        "bytes",
        (
            (f"{_OF_PROCESS}(hakmem_process_resident_bytes@)", f"resident {_PROCESS}"),
            (f"{_OF_PROCESS}(hakmem_held_bytes@)", f"held {_PROCESS}"),
        ),
    ),
    Panel(
        "Live by size of block, the ten largest",
        "Bytes of live blocks of the classes that have most.",
        "bytes",
        (("topk(10, sum by (pool, block_bytes) (hakmem_live_bytes@))", "{{pool}} {{block_bytes}} B"),),
    ),
    Panel(
        "Free share of slabs",
        "High for long beside steady live bytes: fragmentation.",
        "percentunit",
        ((f"{_OF_PROCESS}(hakmem_slab_free_bytes@) / {_OF_PROCESS}(hakmem_slab_bytes@)", _PROCESS),),
    ),
    Panel(
        "Allocations and frees a second",
        "Counted, not sampled.",
        "ops",
        ((_rate("hakmem_allocations_total"), "allocations"), (_rate("hakmem_frees_total"), "frees")),
    ),
    Panel(
        "Slow paths a second",
        "exchanges: a thread swapped, filled or emptied a magazine. remote frees: into slabs of other threads.",
        "ops",
        ((_rate("hakmem_exchanges_total"), "exchanges"), (_rate("hakmem_remote_frees_total"), "remote frees")),
    ),
    Panel(
        "Calls of the system a second",
        "Mappings asked for, given back and moved; purges give back pages whose addresses stay.",
        "ops",
        tuple((_rate(f"hakmem_system_{one}_total"), one) for one in ("maps", "unmaps", "purges", "remaps")),
    ),
    Panel(
        "Threads",
        "That have allocated and not ended.",
        "short",
        ((f"{_OF_PROCESS}(hakmem_threads@)", _PROCESS),),
    ),
    Panel(
        "Processes",
        "unreadable: they publish, and what they publish could not be read.",
        "short",
        (
            ('sum(hakmem_export_processes{instance=~"$instance"})', "read"),
            ('sum(hakmem_export_unreadable_processes{instance=~"$instance"})', "unreadable"),
        ),
        width=8,
        kind="stat",
    ),
    Panel(
        "Builds",
        "Processes by version and switches of the library.",
        "short",
        (("count by (version, config) (hakmem_build_info@)", "{{version}} {{config}}"),),
        width=8,
        kind="stat",
    ),
    Panel(
        "Time to gather one answer",
        "Of the exporter, each time that it is asked.",
        "s",
        (('max(hakmem_export_duration_seconds{instance=~"$instance"})', "seconds"),),
        width=8,
        kind="stat",
    ),
)


def queries() -> list[str]:
    """Every expression, as it stands in the dashboard."""
    return [expression.replace("@", _CHOSEN) for panel in PANELS for expression, _ in panel.queries]


def _variable(name: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "sort": 1,
    }


def _variables() -> list[dict[str, Any]]:
    source = {"name": "source", "label": "data source", "type": "datasource", "query": "prometheus", "current": {}}
    return [
        source,
        _variable("instance", "label_values(hakmem_held_bytes, instance)"),
        _variable("command", 'label_values(hakmem_held_bytes{instance=~"$instance"}, command)'),
        _variable("pid", 'label_values(hakmem_held_bytes{instance=~"$instance",command=~"$command"}, pid)'),
    ]


def _drawn(panel: Panel, number: int, x: int, y: int) -> dict[str, Any]:
    stacking = {"mode": "normal" if panel.is_stacked else "none", "group": "A"}
    custom = {"fillOpacity": 25 if panel.is_stacked else 0, "stacking": stacking} if panel.kind == "timeseries" else {}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.meaning,
        "datasource": _SOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "custom": custom}, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + place),
                "datasource": _SOURCE,
                "expr": expression.replace("@", _CHOSEN),
                "legendFormat": legend,
            }
            for place, (expression, legend) in enumerate(panel.queries)
        ],
    }


def _panels() -> list[dict[str, Any]]:
    drawn = []
    x = y = 0
    for number, panel in enumerate(PANELS, 1):
        if x + panel.width > _ACROSS:
            x, y = 0, y + _HEIGHT
        drawn.append(_drawn(panel, number, x, y))
        x += panel.width
    return drawn


def dashboard() -> dict[str, Any]:
    return {
        "uid": "hakmem",
        "title": "hakmem",
        "description": "Memory of the processes that publish with HAKMEM_PUBLISH=1, as `hakmem export` serves it.",
        "tags": ["memory"],
        "schemaVersion": _SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": _variables()},
        "panels": _panels(),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="dashboard.py", description=__doc__.split("\n")[0], allow_abbrev=False)
    parser.add_argument("--output", required=True, type=Path, help="file to write")
    parsed = parser.parse_args(arguments)
    try:
        parsed.output.write_text(json.dumps(dashboard(), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        print(f"dashboard.py: {error}", file=sys.stderr)
        return STATUS_REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
