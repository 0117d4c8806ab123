# SPDX-License-Identifier: MIT
"""Counts test targets in Bazel's build events and prints `N passed, N failed`.

Usage: count_tests.py --broken=0|1 FOLDER

FOLDER holds one file of build events (JSON, one event a line) for each `bazel test`. A target that was not
built or not run counts as failed. Where no target failed and --broken says that another step went wrong, that counts
as one. Exit status 1 where anything failed, or where no target passed.
"""

import argparse
import json
import pathlib
import sys

# A flaky target failed at least once and then passed: it is no pass.
PASSED = "PASSED"


def statuses(events: pathlib.Path) -> dict[str, str]:
    """Overall status of each test target that one run of Bazel reported, by label."""
    found = {}
    for line in events.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        identity = event["id"]
        if "testSummary" in identity:
            label = identity["testSummary"]["label"]
            found[label] = event.get("testSummary", {}).get("overallStatus", "NOT BUILT")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="Counts test targets in Bazel's build events.")
    parser.add_argument("--broken", type=int, choices=(0, 1), required=True, help="whether another step failed")
    parser.add_argument("folder", type=pathlib.Path, help="where the files of events are")
    arguments = parser.parse_args()

    passed = failed = 0
    for events in sorted(arguments.folder.glob("*.json")):
        for label, status in sorted(statuses(events).items()):
            if status == PASSED:
                passed += 1
            else:
                failed += 1
                print(f"{events.stem}: {label}: {status}", file=sys.stderr)
    if arguments.broken and failed == 0:
        print("a step failed before or beside the tests: see above", file=sys.stderr)
        failed = 1
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
