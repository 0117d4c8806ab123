# SPDX-License-Identifier: MIT
"""hakmem run: starts a program with hakmem, and sums up what it did when it has ended."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tools.measure import files
from tools.measure.program import BenchError
from tools.cli import parts, show
from tools.cli.command import Command, InputError, TEXT_SUFFIX, caller_path
from tools.cli.starting import NOT_STARTED, StartError, line_of, own_statuses

_FORMS = ("text", "json", "prometheus")

_PROCESS = "%p"
"""Stands for the process's number in the name of a file that the library writes."""


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.usage = "hakmem run [options] [--] PROGRAM [ARGUMENT ...]"
    guard = parser.add_mutually_exclusive_group()
    guard.add_argument(
        "--guard", action="store_true", help="with the guard build: every invalid free is reported at once"
    )
    guard.add_argument(
        "--guard-full",
        action="store_true",
        help="with all checks of the full guard build: overflows and uses of freed blocks are reported as well",
    )
    parser.add_argument(
        "--stats", choices=_FORMS, help="sum up by all statistics in this form (default: in a few words)"
    )
    parser.add_argument(
        "--profile",
        metavar="FILE",
        help="write the sampling profile of PROGRAM to FILE: text for google-pprof where it ends in "
        f"{TEXT_SUFFIX}, else for pprof; with %%p in it, one of each process to a file of its own",
    )
    parser.add_argument("--leaks", action="store_true", help="report what is still live at the end, by call site")
    parser.add_argument("--publish", action="store_true", help="let hakmem stat and hakmem top look at it meanwhile")
    parser.add_argument("--quiet", action="store_true", help="do not sum up")
    parser.add_argument("program", nargs=argparse.REMAINDER, metavar="PROGRAM", help="what to run, and its arguments")


def _library(parsed: argparse.Namespace) -> Path:
    if parsed.guard_full:
        return parts.library(parts.GUARD_FULL)
    return parts.library(parts.GUARD if parsed.guard else parts.PLAIN)


def _profile(text: str) -> Path:
    """Where the profile goes: the library would say only at the end that it cannot be written there."""
    output = caller_path(text).absolute()
    if not output.parent.is_dir():
        raise InputError(f"--profile {text}: there is no folder {output.parent}")
    if text == "" or (output.exists() and not output.is_file()):
        raise InputError(f"--profile '{text}' is no regular file")
    if not os.access(output if output.exists() else output.parent, os.W_OK):
        raise InputError(f"--profile {text}: may not be written")
    return output


@dataclass(frozen=True)
class _Results:
    """Where the processes write what they leave: each to a name of its own, since those that the program starts have its
    environment."""

    folder: Path
    output: Path | None
    """Where the profile of the program goes."""

    @property
    def statistics(self) -> Path:
        return self.folder / "statistics"

    @property
    def is_of_each(self) -> bool:
        """Whether the profiles of all processes are wanted, each in a file of its own."""
        return _PROCESS in str(self.output)

    def profile(self, pid: int | str) -> Path:
        """What a process writes, to be kept or not."""
        return self.folder / f"profile-{pid}{TEXT_SUFFIX if str(self.output).endswith(TEXT_SUFFIX) else ''}"


def _environment(parsed: argparse.Namespace, results: _Results) -> dict[str, str]:
    """The caller's, with what the arguments ask for on top."""
    result = dict(os.environ)
    before = result.get("LD_PRELOAD")
    result["LD_PRELOAD"] = f"{_library(parsed)}{':' + before if before else ''}"
    if not parsed.quiet:
        result["HAKMEM_STATS"] = f"{parsed.stats or 'json'}:{results.statistics}/{_PROCESS}"
    if results.output is not None:
        result["HAKMEM_PROFILE"] = str(results.output if results.is_of_each else results.profile(_PROCESS))
    if parsed.leaks:
        result["HAKMEM_LEAKS"] = "1"
    if parsed.publish:
        result["HAKMEM_PUBLISH"] = "1"
    return result


def _in_words(text: str, name: str, others: int) -> str:
    found = json.loads(text)
    pools = found["pools"].values()

    def total(field: str) -> int:
        return sum(pool[field] for pool in pools)

    process = found["process"]
    calls = sum(process[f"system_{call}"] for call in ("maps", "unmaps", "purges", "remaps"))
    more = f"; {show.counted(others, 'other process', 'other processes')}" if others else ""
    about = "" if found["exact"] else "about "
    return (
        f"hakmem: {name} ({found['pid']}): {about}{show.counted(total('allocations'), 'allocation')}, "
        f"{show.counted(total('live_blocks'), 'block')} of {show.size(total('live_bytes'))} not freed\n"
        f"hakmem: at most {show.size(process['held_bytes_most'])} held; {show.counted(process['exchanges'], 'exchange')}, "
        f"{show.counted(process['remote_frees'], 'remote free')}, {show.counted(calls, 'call')} to the system{more}\n"
    )


def _sum_up(parsed: argparse.Namespace, statistics: Path, pid: int, name: str) -> bool:
    """On standard error: standard output is the program's. False where it left none, or had no room for all of them."""
    try:
        text = (statistics / str(pid)).read_text(encoding="ascii")
        others = len(list(statistics.iterdir())) - 1
        said = text if parsed.stats else _in_words(text, name, others)
    except (FileNotFoundError, ValueError):
        return False
    sys.stderr.write(said)
    return said != ""


def _keep_profile(written: Path, output: Path) -> None:
    """Puts the profile of the program to its place, as the library makes files: for the user alone. Where that cannot be done
    any more, on a full disk say, it stays in another: the program's run may have been a long one."""
    try:
        files.write_whole(output, written.read_bytes(), 0o600)
    except OSError as error:
        raise BenchError(f"{output} cannot be written: {error.strerror}{_aside(written, output.name)}") from None


def _aside(written: Path, name: str) -> str:
    """Copies a file to a folder that stays, under that name; for a message. "" where there is no room for it either."""
    folder = Path(tempfile.mkdtemp(prefix="hakmem-profile-"))
    try:
        shutil.copy(written, folder / name)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        return ""
    return f"; the profile is {folder / name}"


def _report(parsed: argparse.Namespace, results: _Results, pid: int, name: str) -> None:
    missing = []
    if not parsed.quiet and not _sum_up(parsed, results.statistics, pid, name):
        missing.append("statistics")
    if results.output is not None and not results.is_of_each:
        written = results.profile(pid)
        if written.exists():
            _keep_profile(written, results.output)
        else:
            missing.append("profile")
    if missing:
        print(
            f"hakmem run: {name} left no {' and no '.join(missing)}: a signal or _exit ended it, or it is linked statically\n"
            "or set-user-ID, or answers malloc itself, or there was no room to write",
            file=sys.stderr,
        )


def _check(parsed: argparse.Namespace) -> None:
    if parsed.quiet and parsed.stats:
        raise InputError("--quiet sums up nothing: no --stats goes with it; --profile, --leaks and --publish do")
    if parsed.guard_full and (parsed.profile is not None or parsed.leaks):
        raise InputError("--guard-full has no profile: neither --profile nor --leaks goes with it; --guard has both")


def _run(parsed: argparse.Namespace) -> int:
    _check(parsed)
    try:
        line = line_of("run", parsed.program)
        output = None if parsed.profile is None else _profile(parsed.profile)
        # Processes that the program left running may write there while it is removed: its status stays.
        with tempfile.TemporaryDirectory(prefix="hakmem-run-", ignore_cleanup_errors=True) as folder:
            results = _Results(Path(folder), output)
            results.statistics.mkdir()
            pid, status = line.run(_environment(parsed, results))
            _report(parsed, results, pid, Path(line.words[0]).name)
    except StartError as error:
        print(f"hakmem run: {error}", file=sys.stderr)
        return error.status
    except (BenchError, OSError) as error:
        print(f"hakmem run: {error}", file=sys.stderr)
        return NOT_STARTED
    return status


COMMAND = Command(
    name="run",
    summary="start a program with hakmem, and sum up what it did",
    description="Runs PROGRAM with hakmem as its allocator. What it did is summed up on standard error when it has ended;\n"
    "processes that it starts run with hakmem too.\n\n"
    + own_statuses("where it was not started, for want of the library say, or what it left could not be kept"),
    configure=_configure,
    run=_run,
)
