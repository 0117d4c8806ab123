# SPDX-License-Identifier: MIT
"""Runs programs under the library and judges them; see preload_case in preload.bzl.

--case begins a case: its name, and what argparse prints below.
"""

import argparse
import re
import sys

from tests.preload import preloaded


def judge(done: preloaded.Run, options: argparse.Namespace) -> list[str]:
    """What is wrong with the run, a sentence each."""
    wrong = []
    if done.status != preloaded.status_of(options.status):
        wrong.append(f"it ended with {done.status}, not {options.status}")
    last = done.stdout.rstrip().rsplit("\n", 1)[-1]
    if options.status == "0" and not re.fullmatch(r"[1-9]\d* checks passed", last):
        wrong.append(f'its last line is {last!r}, not "N checks passed"')
    if options.stderr is None and done.stderr:
        wrong.append("standard error is not empty")
    if options.stderr is not None and not re.search(options.stderr, done.stderr):
        wrong.append(f"standard error does not hold {options.stderr!r}")
    if options.library:
        owners = done.owners()
        if not any(owner.startswith("libhakmem") for owner in owners):
            wrong.append(f"no name of malloc's family is bound to libhakmem.so, only to {sorted(owners)}")
        if not options.may_bypass:
            wrong += preloaded.bypasses(done)
    return wrong


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", help="libhakmem.so; none: the program runs without it")
    parser.add_argument("--before", action="append", default=[], help="library to preload before it")
    parser.add_argument("--after", action="append", default=[], help="library to preload behind it")
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--status", default="0", help="exit status, or the name of a signal")
    parser.add_argument("--stderr", metavar="REGEX", help="what standard error holds; else it must be empty")
    parser.add_argument("--may-bypass", action="store_true", help="names may be bound to other libraries too")
    parser.add_argument("program")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser.parse_args(arguments)


def cases(arguments: list[str]) -> list[tuple[str, argparse.Namespace]]:
    """Names and options, as they follow each --case."""
    starts = [at for at, argument in enumerate(arguments) if argument == "--case"]
    if not starts or starts[0] != 0:
        sys.exit("run_preloaded: the first argument is --case, which begins each case: --case NAME [options] PROGRAM")
    ends = [*starts[1:], len(arguments)]
    return [(arguments[start + 1], parse(arguments[start + 2 : end])) for start, end in zip(starts, ends)]


def is_right(name: str, options: argparse.Namespace) -> bool:
    done = preloaded.run(
        options.program,
        options.library,
        options.before,
        options.after,
        options.arguments,
        env=dict(variable.split("=", 1) for variable in options.env),
    )
    wrong = judge(done, options)
    if wrong:
        print(f"{name}: {options.program}:\n  " + "\n  ".join(wrong))
        print(f"--- standard output\n{done.stdout}--- standard error\n{done.stderr}", end="", flush=True)
    return not wrong


def main() -> int:
    chosen = cases(sys.argv[1:])
    failed = sum(not is_right(name, options) for name, options in chosen)
    print(f"{len(chosen) - failed} of {len(chosen)} cases are right")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
