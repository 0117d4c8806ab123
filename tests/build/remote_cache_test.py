"""A second machine builds nothing that a first one has put into the cache: every result is fetched, and is the same.

So no command depends on where or by whom it is run. The cache is the one that tools/remote serves.
"""

from __future__ import annotations

import json
import subprocess
import unittest
from pathlib import Path

from tests.build import evidence
from tests.build.nested_bazel import NestedBazel, main
from tests.build.two_clones import LANDMARKS, PACKAGES, TESTS, two_clones
from tools.remote.http_cache import HttpCache


def tested_remotely(events: Path) -> dict[str, bool]:
    """For each test of --build_event_json_file: whether its result came from the remote cache."""
    found = {}
    for line in events.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        if "testResult" in event["id"] and "testResult" in event:
            result = event["testResult"].get("executionInfo", {})
            found[event["id"]["testResult"]["label"]] = result.get("cachedRemotely", False)
    return found


def contents(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


class RemoteCache(unittest.TestCase):
    maxDiff = None

    def run_bazel(self, machine: NestedBazel, cache: HttpCache, toolchain: str, verb: str,
                  *arguments: str) -> list[evidence.Spawn]:
        log = machine.workspace.parent / "log.json"
        machine.check(verb, "--config=remote-cache", f"--remote_cache={cache.url}", f"--execution_log_json_file={log}",
                      f"--remote_default_exec_properties=toolchain={toolchain}", *arguments)
        return evidence.spawns(log)

    def build(self, machine: NestedBazel, cache: HttpCache,
              toolchain: str) -> tuple[list[evidence.Spawn], dict[str, bool]]:
        events = machine.workspace.parent / "events.json"
        found = self.run_bazel(machine, cache, toolchain, "test", f"--build_event_json_file={events}",
                               *PACKAGES, *TESTS)
        return found, tested_remotely(events)

    def check_fetched(self, run: list[evidence.Spawn], fetched: list[evidence.Spawn]) -> None:
        not_run = evidence.not_run_by(run, evidence.BUILT_HERE)
        if not_run:
            self.fail(evidence.listed("not built by the first machine", not_run))
        not_fetched = evidence.not_run_by(fetched, evidence.FETCHED)
        if not_fetched:
            self.fail(evidence.listed("run again", not_fetched))
        self.assertEqual({spawn.outputs for spawn in run}, {spawn.outputs for spawn in fetched})

    def test_the_second_machine_fetches_everything(self) -> None:
        with two_clones() as (first, second):
            folder = first.workspace.parent / "cache"
            toolchain = subprocess.run([first.workspace / "tools/remote/toolchain"], stdout=subprocess.PIPE, text=True,
                                       check=True).stdout.strip()
            with HttpCache(folder) as cache:
                run, tests_run = self.build(first, cache, toolchain)
                stored = contents(folder)
                fetched, tests_fetched = self.build(second, cache, toolchain)

                self.check_fetched(run, fetched)
                self.assertEqual(tests_run, dict.fromkeys(TESTS, False))
                self.assertEqual(tests_fetched, dict.fromkeys(TESTS, True))
                self.assertEqual(stored, contents(folder), "the second build changed the cache")
                self.assertLessEqual(set(LANDMARKS), evidence.outputs(second.workspace).keys())
                different = evidence.differences(first.workspace, second.workspace)
                if different:
                    self.fail(different)

                # A machine with other tools does not take what the first one stores.
                self.run_bazel(first, cache, toolchain, "build", "//codegen:classes")
                other = self.run_bazel(second, cache, "other-" + toolchain, "build", "//codegen:classes")
                self.assertEqual({spawn.runner for spawn in other}, {evidence.BUILT_HERE}, "other tools made what it got")


if __name__ == "__main__":
    main()
