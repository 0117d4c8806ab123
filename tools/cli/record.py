"""hakmem record: writes down what a program asks of its allocator."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from bench.driver.arguments import whole_number
from bench.driver.program import BenchError
from bench.trace import recording
from tools.cli import show
from tools.cli.command import REFUSED, Command, InputError, caller_path, existing_file

OUTPUT = "hakmem.trace"

NOT_RECORDED = 125
NOT_EXECUTABLE = 126
NOT_FOUND = 127

_LIMIT_MAX = 10**15

# Sent to the program that is recorded when they are sent to this one. Ctrl-C reaches both anyway.
_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.usage = "hakmem record [options] [--] PROGRAM [ARGUMENT ...]"
    parser.add_argument(
        "--output",
        metavar="FILE",
        default=OUTPUT,
        help="the trace (default: %(default)s); processes that the program starts go to FILE.PID",
    )
    parser.add_argument(
        "--max-events",
        type=whole_number(1, _LIMIT_MAX),
        metavar="N",
        help="record the first N events of each process only; the program goes on (default: all)",
    )
    parser.add_argument("--no-children", action="store_true", help="record the first process only")
    parser.add_argument(
        "--lib", type=existing_file, metavar="PATH", help="preload this allocator as well, and record what it is asked"
    )
    parser.add_argument("--quiet", action="store_true", help="say nothing about the trace afterwards")
    parser.add_argument("program", nargs=argparse.REMAINDER, metavar="PROGRAM", help="what to run, and its arguments")


def _find(name: str, folder: Path) -> tuple[str | None, int]:
    """The program as the shell would find it, and the status to end with where it does not."""
    if os.path.sep in name:
        path = folder / name
        found = shutil.which(str(path))
        return found, NOT_EXECUTABLE if path.exists() else NOT_FOUND
    return shutil.which(name), NOT_FOUND


def _wait(process: subprocess.Popen[bytes]) -> int:
    """The program's own status: as a shell has it, 128 and the signal's number where one ended it."""

    def forward(number: int, _frame: FrameType | None) -> None:
        process.send_signal(number)

    before = {number: signal.signal(number, forward) for number in _FORWARDED}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        status = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 - status if status < 0 else status


def _report(output: Path) -> None:
    """A line for each trace, on standard error: standard output is the program's."""
    for path in [output, *recording.processes(output)]:
        found = recording.info(path)
        name = Path((found["arguments"] or [found["program"]])[0]).name
        each = f", {found['bytes'] / found['events']:.1f} B each" if found["events"] else ""
        cut = "" if found["complete"] else "; incomplete"
        print(
            f"{path}: {name}, {show.number(found['events'])} events, {show.size(found['bytes'])}{each}, "
            f"{found['threads']} threads{cut}",
            file=sys.stderr,
        )


def _run(parsed: argparse.Namespace) -> int:
    words = parsed.program[1:] if parsed.program[:1] == ["--"] else parsed.program
    if not words:
        print("hakmem record: which program? hakmem record [options] [--] PROGRAM [ARGUMENT ...]", file=sys.stderr)
        return REFUSED
    folder = caller_path(".")
    found, status = _find(words[0], folder)
    if found is None:
        what = "is not executable" if status == NOT_EXECUTABLE else "was not found"
        print(f"hakmem record: {words[0]} {what}", file=sys.stderr)
        return status
    output = caller_path(parsed.output).absolute()
    if not output.parent.is_dir():
        raise InputError(f"--output {parsed.output}: there is no folder {output.parent}")
    settings = recording.Settings(output, parsed.max_events, not parsed.no_children, parsed.lib)
    try:
        recording.clear(output)
        process = subprocess.Popen(words, executable=found, cwd=folder, env=settings.environment(os.environ))
        status = _wait(process)
        recording.require(output, words[0])
        if not parsed.quiet:
            _report(output)
    except (BenchError, OSError) as error:
        print(f"hakmem record: {error}", file=sys.stderr)
        return NOT_RECORDED
    return status


COMMAND = Command(
    name="record",
    summary="record what a program asks of its allocator",
    description="Runs PROGRAM and writes every allocation and free to a trace.\n\n"
    "Exit status: the program's own, 128 and the signal's number where a signal ended it;\n"
    f"{NOT_FOUND} where it was not found, {NOT_EXECUTABLE} where it cannot be executed, {NOT_RECORDED} where it was\n"
    f"not recorded; {REFUSED} where the arguments are wrong.",
    configure=_configure,
    run=_run,
)
