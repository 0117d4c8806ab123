# SPDX-License-Identifier: MIT
"""Counts test targets in Bazel's build events and prints `N passed, N failed`.

Usage: count_tests.py --broken=0|1 FOLDER

FOLDER holds one file of build events (JSON, one event a line) for each `bazel test`. A target that was not built or not run
counts as failed, and so does a file that is not whole: it is empty, cut, or damaged, and what it does not tell may have
failed. Where nothing failed and --broken says that another step went wrong, that counts as one. Exit status 1 where
anything failed, or where no target passed; standard error says what.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
from typing import Any

# A flaky target failed at least once and then passed: it is no pass.
PASSED = "PASSED"


def _event(line: bytes) -> dict[str, Any] | None:
    """None: it is none."""
    try:
        found = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("id"), dict) else None


def read_events(text: bytes) -> tuple[list[dict[str, Any]], str]:
    """The events up to the first line that is none, and what is wrong with the file; "": it is whole. Bazel marks the last
    event, behind which nothing comes."""
    found: list[dict[str, Any]] = []
    *lines, rest = text.split(b"\n")
    for number, line in enumerate([*lines, rest] if rest else lines, 1):
        event = _event(line)
        if event is None:
            return found, f"is cut or damaged: line {number} is no build event"
        found.append(event)
    if not found:
        return found, "is empty"
    if found[-1].get("lastMessage") is not True:
        return found, f"is cut: the last of its {len(found)} build events is not Bazel's last"
    return found, ""


def statuses(events: list[dict[str, Any]]) -> dict[str, str]:
    """Overall status of each test target that one run of Bazel reported, by label."""
    found = {}
    for event in events:
        if "testSummary" in event["id"]:
            summary, said = event["id"]["testSummary"], event.get("testSummary")
            label = str(summary.get("label")) if isinstance(summary, dict) else "a test without a label"
            if isinstance(summary, dict) and isinstance(said, dict):
                found[label] = str(said.get("overallStatus"))
            else:
                found[label] = "NOT BUILT"
    return found


def count(file: pathlib.Path) -> tuple[int, int]:
    """Passed and failed, of a run of Bazel; the failures are said."""
    try:
        events, problem = read_events(file.read_bytes())
    except OSError as error:
        events, problem = [], f"cannot be read: {error.strerror}"
    passed = failed = 0
    for label, status in sorted(statuses(events).items()):
        if status == PASSED:
            passed += 1
        else:
            failed += 1
            print(f"{file.stem}: {label}: {status}", file=sys.stderr)
    if problem:
        failed += 1
        print(f"{file.stem}: {file} {problem}", file=sys.stderr)
    return passed, failed


def main() -> int:
    parser = argparse.ArgumentParser(description="Counts test targets in Bazel's build events.")
    parser.add_argument("--broken", type=int, choices=(0, 1), required=True, help="whether another step failed")
    parser.add_argument("folder", type=pathlib.Path, help="where the files of events are")
    arguments = parser.parse_args()

    counts = [count(file) for file in sorted(arguments.folder.glob("*.json"))]
    passed, failed = (sum(one[place] for one in counts) for place in (0, 1))
    if arguments.broken and failed == 0:
        print("a step failed before or beside the tests: see above", file=sys.stderr)
        failed = 1
    if not passed and not failed:
        print(f"no test passed: {len(counts)} files of build events in {arguments.folder}", file=sys.stderr)
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
