# SPDX-License-Identifier: MIT
"""hakmem profile: the profile of a running program, to a file or as a view."""

from __future__ import annotations

import argparse
import io
import json
import sys
from pathlib import Path
from typing import Any

from tools.measure import table
from tools.measure.arguments import whole_number
from tools.cli import flame, pprof, published, samples, saved, show, views
from tools.cli.command import (
    REFUSED,
    TEXT_SUFFIX,
    Command,
    InputError,
    add_format,
    add_seconds,
    caller_path,
    existing_file,
    process_or_file,
    statuses,
)
from tools.cli.paths import say_what_has_no_names
from tools.cli.samples import Samples
from tools.cli.untrusted import printable

_VIEWS = ("top", "tree", "folded", "flame")

_WHAT = {
    "alloc_objects": ("blocks allocated so far", "blocks allocated"),
    "alloc_space": ("bytes allocated so far", "bytes allocated"),
    "inuse_objects": ("live blocks", "growth of live blocks"),
    "inuse_space": ("live bytes", "growth of live bytes"),
}
"""As it stands, and in a time."""


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o",
        "--output",
        type=caller_path,
        metavar="FILE",
        help=f"where to (default: hakmem.PID.pb.gz; of a view: standard output, hakmem.PID.html of flame); without a view, "
        f"text for google-pprof where it ends in {TEXT_SUFFIX}",
    )
    parser.add_argument(
        "--symbols",
        action="store_true",
        help="name functions and lines in the profile itself, so that pprof needs no other file; takes long of large programs",
    )
    parser.add_argument(
        "--view",
        choices=_VIEWS,
        help="a view in the place of a profile: the functions with most, the tree of calls, a line a path for flamegraph.pl, "
        "or a flame graph as HTML",
    )
    parser.add_argument(
        "--value", choices=tuple(samples.VALUES), help=f"what a view shows (default: {views.DEFAULT_VALUE})"
    )
    parser.add_argument(
        "--most", type=whole_number(1, 10**6), metavar="N", help="functions of top at most (default: 30)"
    )
    parser.add_argument(
        "--base", type=existing_file, metavar="FILE", help="of a view: show what there is more of than in this profile"
    )
    add_seconds(parser)
    add_format(parser)
    parser.add_argument(
        "what",
        type=process_or_file,
        metavar="PID|FILE",
        help="a running program, or a profile for pprof, of which a view is wanted",
    )


def _is_text(parsed: argparse.Namespace) -> bool:
    return parsed.output is not None and str(parsed.output).endswith(TEXT_SUFFIX)


def _write(parsed: argparse.Namespace, found: Samples) -> None:
    output: Path = parsed.output or caller_path(f"hakmem.{found.pid}.pb.gz")
    output.write_bytes(pprof.encode_text(found) if _is_text(parsed) else pprof.encode(found, parsed.symbols))
    result: dict[str, Any] = {
        "pid": found.pid,
        "file": str(output),
        "seconds": found.seconds,
        "rate_bytes": found.rate,
        "samples": sum(one.allocations for one in found.records),
        "dropped": found.dropped,
        "shortened": found.shortened,
        "live_bytes": round(sum(map(samples.VALUES["inuse_space"], found.records))),
        "allocated_bytes": round(sum(map(samples.VALUES["alloc_space"], found.records))),
    }
    if parsed.format == "json":
        print(json.dumps(result, indent=2))
    else:
        live, allocated = show.size(result["live_bytes"]), show.size(result["allocated_bytes"])
        within = f" in {show.counted(found.seconds, 'second')}" if found.seconds else ""
        what = f"{live} {'more live' if found.seconds else 'live'} of {allocated} allocated{within}, by estimate"
        print(f"{output}: {show.counted(result['samples'], 'sample')}, {what}")


def _view(parsed: argparse.Namespace, found: Samples, kind: str) -> str:
    """The text of a view."""
    weights = list(views.weighted(found, kind))
    if parsed.base:
        weights = list(views.grown(weights, views.weighted(saved.read(parsed.base), kind)))
    program = published.program_of(found.pid) if found.pid else printable(parsed.what.name)
    whole = views.shown(sum(amount for amount, _ in weights), kind)
    exact = "exact" if found.rate == 1 else f"estimated from a sample every {show.size(found.rate)}"
    so_far, meanwhile = _WHAT[kind]
    what = f"{meanwhile} in {show.counted(found.seconds, 'second')}" if found.seconds else so_far
    more = f", more than in {printable(parsed.base.name)}" if parsed.base else ""
    heading, title = f"{program} ({found.pid})" if found.pid else program, f"{what}{more}: {whole}; {exact}"
    if parsed.view == "folded":
        return "".join(f"{line}\n" for line in views.folded(weights))
    if parsed.view == "top":
        lines = views.top(weights)
        if parsed.format == "json":
            return json.dumps([line.as_json() for line in lines[: parsed.most]], indent=2) + "\n"
        grid = views.top_grid(lines, kind, parsed.most or 30, title)
        caption = "own: by calls of malloc or the like in the function itself. with callees: and in what it calls."
    else:
        root = views.tree(weights, program)
        if parsed.view == "flame":
            return flame.page(root, kind, heading, title)
        if parsed.format == "json":
            return json.dumps(views.rows(root), indent=2) + "\n"
        views.prune(root)
        grid = views.tree_grid(root, kind, title)
        caption = "Callers above those that they call. What has less than half a percent is summed up."
    text = io.StringIO()
    table.print_grids(heading, [grid], caption, text)
    return text.getvalue()


def _page_of(what: int | Path) -> Path:
    return caller_path(f"{what.name}.html" if isinstance(what, Path) else f"hakmem.{what}.html")


def _check(parsed: argparse.Namespace) -> None:
    if parsed.symbols and (parsed.view is not None or _is_text(parsed)):
        raise InputError("--symbols is of a profile for pprof: a view has them, text for google-pprof has none")
    if parsed.seconds and _is_text(parsed):
        raise InputError(
            "--seconds is of a profile for pprof, or of a view: text for google-pprof knows no fewer than none"
        )
    if isinstance(parsed.what, Path) and (parsed.view is None or parsed.seconds):
        raise InputError("of a FILE there are views alone: --view=top, tree, folded or flame, without --seconds")
    if parsed.view is None and (parsed.value is not None or parsed.base is not None):
        raise InputError("--value and --base are of a view: --view=top, tree, folded or flame")
    if parsed.view != "top" and parsed.most is not None:
        raise InputError("--most is of --view=top")
    if parsed.view in ("folded", "flame") and parsed.format != "table":
        raise InputError(f"--view={parsed.view} has a format of its own: no --format goes with it")


def _run(parsed: argparse.Namespace) -> int:
    _check(parsed)
    found = saved.read(parsed.what) if isinstance(parsed.what, Path) else samples.look(parsed.what, parsed.seconds)
    if found.pid and (parsed.view is not None or parsed.symbols):
        say_what_has_no_names(found, "profile")
    if parsed.view is None:
        _write(parsed, found)
        return 0
    text = _view(parsed, found, parsed.value or views.DEFAULT_VALUE)
    output = parsed.output or (_page_of(parsed.what) if parsed.view == "flame" else None)
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")
        if parsed.view == "flame" and parsed.output is None:
            print(output)
    return 0


COMMAND = Command(
    name="profile",
    summary="write the profile of a running program, or show it",
    description="Writes what a running program allocated so far, and what is live, by path of calls: for pprof, for\n"
    f"google-pprof where FILE ends in {TEXT_SUFFIX}, or as a view for readers. The program was started with\n"
    "HAKMEM_PROFILE=FILE or HAKMEM_LEAKS=1, and is neither stopped nor asked. Profiles for pprof that were written\n"
    "before have views as well.\n\n"
    + statuses(
        f"0; 1 where FILE cannot be written or something else failed; {REFUSED} where there is no such process or profile, it "
        "is another user's, runs without hakmem or without a profile, or the arguments are wrong"
    ),
    configure=_configure,
    run=_run,
)
