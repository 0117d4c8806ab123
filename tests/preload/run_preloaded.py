# SPDX-License-Identifier: MIT
"""Runs one program under the library and judges it; see preload_test in preload.bzl."""

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


def main() -> int:
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
    options = parser.parse_args()
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
        print(f"{options.program}:\n  " + "\n  ".join(wrong))
        print(f"--- standard output\n{done.stdout}--- standard error\n{done.stderr}", end="")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
