# SPDX-License-Identifier: MIT
"""hakmem profile: the profile of a running program, to a file or as a view."""

from __future__ import annotations

import argparse
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

from tools.measure import files, table
from tools.measure.arguments import whole_number
from tools.cli import flame, groups, pprof, published, samples, saved, show, switching, views
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
    require_writable,
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


def _rate(text: str) -> int:
    """For argparse: bytes, as 65536 or 64K."""
    found = re.fullmatch(r"([0-9]{1,13})([KMG]?)", text)
    rate = int(found[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[found[2]] if found else 0
    if not 1 <= rate <= samples.RATE_MAX:
        raise argparse.ArgumentTypeError(
            f"'{text}' is no number of bytes from 1 to {samples.RATE_MAX}; 64K, 1M and 1G are such numbers as well"
        )
    return rate


def _configure_switch(parser: argparse.ArgumentParser) -> None:
    switch = parser.add_mutually_exclusive_group()
    switch.add_argument(
        "--on",
        action="store_true",
        help="switch the profile of a running program on, that was started with HAKMEM_PUBLISH=1, or to another rate",
    )
    switch.add_argument("--off", action="store_true", help="switch it off; what was sampled is kept")
    parser.add_argument(
        "--rate",
        type=_rate,
        metavar="BYTES",
        help="bytes between two samples on average, 1 for every block (default: 512K); with --on, or with --seconds of a "
        "profile that is off",
    )


def _configure(parser: argparse.ArgumentParser) -> None:
    _configure_switch(parser)
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
    groups.add(parser, "divide a view by size or thread: of top a row for each, of the others an outermost caller for")
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


def _write(parsed: argparse.Namespace, found: Samples, output: Path) -> None:
    files.write_whole(output, pprof.encode_text(found) if _is_text(parsed) else pprof.encode(found, parsed.symbols))
    result: dict[str, Any] = {
        "pid": found.pid,
        "file": str(output),
        "seconds": found.seconds,
        "rate_bytes": found.rate,
        "samples": round(sum(one.allocations for one in found.records)),
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
    by = groups.Groups(found, parsed.by) if parsed.by else None
    is_listed = parsed.view == "top" and by is not None
    compared = saved.as_saved(found) if parsed.base else found
    weights = list(views.weighted(compared, kind, by, not is_listed))
    if parsed.base:
        base = saved.read(parsed.base)
        before = groups.Groups(base, parsed.by) if parsed.by else None
        weights = list(views.grown(weights, views.weighted(base, kind, before, not is_listed)))
    program = published.program_of(found.pid) if found.pid else printable(parsed.what.name)
    whole = views.shown(sum(amount for amount, _ in weights), kind)
    exact = show.exactness(found.is_exact, found.rate)
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
        most = parsed.most or 30
        if by is not None:
            grid, caption = views.group_grid(lines, kind, most, title, by.by), by.caption.lstrip()
        else:
            grid = views.top_grid(lines, kind, most, title)
            caption = "own: by calls of malloc or the like in the function itself. with callees: and in what it calls."
    else:
        root = views.tree(weights, program)
        if parsed.view == "flame":
            return flame.page(root, kind, heading, title + found.switched.note)
        if parsed.format == "json":
            return json.dumps(views.rows(root), indent=2) + "\n"
        views.prune(root)
        grid = views.tree_grid(root, kind, title)
        caption = "Callers above those that they call. What has less than half a percent is summed up."
        caption += by.caption if by else ""
    text = io.StringIO()
    table.print_grids(heading, [grid], caption + found.switched.note, text)
    return text.getvalue()


def _output(parsed: argparse.Namespace) -> Path | None:
    """Where the result goes; None: to standard output."""
    given: Path | None = parsed.output
    what: int | Path = parsed.what
    if given is None and parsed.view is None:
        return caller_path(f"hakmem.{what}.pb.gz")
    if given is None and parsed.view == "flame":
        return caller_path(f"{what.name}.html" if isinstance(what, Path) else f"hakmem.{what}.html")
    return given


def _check_switch(parsed: argparse.Namespace) -> None:
    more = (parsed.output, parsed.view, parsed.value, parsed.most, parsed.base, parsed.by)
    if isinstance(parsed.what, Path) or parsed.symbols or parsed.seconds or any(one is not None for one in more):
        raise InputError(
            "--on and --off switch the profile of a running program: --rate and --format alone go with them"
        )
    if parsed.off and parsed.rate is not None:
        raise InputError("--off has no rate: --rate is of --on, or of --seconds")


def _switch(parsed: argparse.Namespace) -> None:
    now = switching.switch(parsed.what, 0) if parsed.off else switching.switch_on(parsed.what, parsed.rate)
    if parsed.format == "json":
        rate = now.rate if now.is_on else None
        print(json.dumps({"pid": parsed.what, "on": now.is_on, "rate_bytes": rate}, indent=2))
    else:
        what = f"on, {show.every(now.rate)}" if now.is_on else "off"
        print(f"process {parsed.what}: the profile is {what}")


def _check(parsed: argparse.Namespace) -> None:
    if parsed.rate is not None and not parsed.seconds:
        raise InputError("--rate is of --on, or of --seconds where the profile is off")
    if parsed.symbols and (parsed.view is not None or _is_text(parsed)):
        raise InputError("--symbols is of a profile for pprof: a view has them, text for google-pprof has none")
    if parsed.seconds and _is_text(parsed):
        raise InputError(
            "--seconds is of a profile for pprof, or of a view: text for google-pprof knows no fewer than none"
        )
    if isinstance(parsed.what, Path) and (parsed.view is None or parsed.seconds):
        raise InputError("of a FILE there are views alone: --view=top, tree, folded or flame, without --seconds")
    if parsed.view is None and any(one is not None for one in (parsed.value, parsed.base, parsed.by)):
        raise InputError("--value, --by and --base are of a view: --view=top, tree, folded or flame")
    if parsed.view != "top" and parsed.most is not None:
        raise InputError("--most is of --view=top")
    if parsed.view in ("folded", "flame") and parsed.format != "table":
        raise InputError(f"--view={parsed.view} has a format of its own: no --format goes with it")


def _found(parsed: argparse.Namespace) -> Samples:
    if isinstance(parsed.what, Path):
        return saved.read(parsed.what)
    return switching.look(parsed.what, parsed.seconds, parsed.rate)


def _run(parsed: argparse.Namespace) -> int:
    if parsed.on or parsed.off:
        _check_switch(parsed)
        _switch(parsed)
        return 0
    _check(parsed)
    output = _output(parsed)
    if output is not None:
        require_writable(output, *(one for one in (parsed.what, parsed.base) if isinstance(one, Path)))
    found = _found(parsed)
    if found.pid and (parsed.view is not None or parsed.symbols):
        say_what_has_no_names(found, "profile")
    if parsed.view is None and output is not None:
        _write(parsed, found, output)
        return 0
    text = _view(parsed, found, parsed.value or views.DEFAULT_VALUE)
    if output is None:
        sys.stdout.write(text)
    else:
        files.write_whole(output, text)
        if parsed.view == "flame" and parsed.output is None:
            print(output)
    return 0


COMMAND = Command(
    name="profile",
    summary="write the profile of a running program, or show it",
    description="Writes what a running program allocated so far, and what is live, by path of calls: for pprof, for\n"
    f"google-pprof where FILE ends in {TEXT_SUFFIX}, or as a view for readers. The program was started with\n"
    "HAKMEM_PROFILE=FILE or HAKMEM_LEAKS=1, or with HAKMEM_PUBLISH=1 and its profile switched on since, and is\n"
    "neither stopped nor asked. Profiles for pprof that were written before have views as well.\n\n"
    "--on and --off switch the profile of a running program; --seconds does, for that time, where it is off. The\n"
    "program does so itself, at its next publication, within half a second.\n\n"
    + statuses(
        f"0; 1 where something failed; {REFUSED} where there is no such process or profile, it is another user's, runs "
        "without hakmem or without a profile, does not publish what is to be switched, FILE cannot be written, or the "
        "arguments are wrong"
    ),
    configure=_configure,
    run=_run,
)
