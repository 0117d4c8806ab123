# SPDX-License-Identifier: MIT
"""What one machine has built, others make to the same bytes: from nothing without network, from a cache, on a cluster.

All are held against one build from nothing. The cache is the one that tools/remote serves; the cluster is Bazel's
reference server.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from tests.build import evidence
from tests.build.listener import Listener
from tests.build.machines import ELSEWHERE, HERE, LANDMARKS, PACKAGES, TESTS, machine
from tests.build.nested_bazel import NestedBazel, checkout, main
from tests.build.reference_worker import ReferenceWorker, move_into_own_network
from tools.remote.http_cache import HttpCache

# One of the files that go into the packages, which takes few commands to make.
SMALL = "//tools/dist:bash_completion"

# verb and target of each attempt to reach a listener; both call network/connect.sh.
ATTEMPTS = [("build", "//tests/build/network:action"), ("test", "//tests/build/network:test")]


def scratch_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))


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


def run_bazel(on: NestedBazel, verb: str, *arguments: str) -> list[evidence.Spawn]:
    log = on.workspace.parent / "log.json"
    on.check(verb, f"--execution_log_json_file={log}", "--nobuild_tests_only", *arguments)
    return evidence.spawns(log)


class Machines(unittest.TestCase):
    here: NestedBazel
    stored: Path
    cache: HttpCache
    toolchain: str
    run_here: list[evidence.Spawn]
    tested_here: dict[str, bool]

    maxDiff = None

    @classmethod
    def setUpClass(cls) -> None:
        contexts = contextlib.ExitStack()
        cls.addClassCleanup(contexts.close)
        scratch = Path(contexts.enter_context(scratch_folder()))
        cls.here = contexts.enter_context(machine(HERE, checkout(), scratch))
        cls.stored = scratch / "cache"
        cls.cache = contexts.enter_context(HttpCache(cls.stored))
        cls.toolchain = subprocess.run(
            [cls.here.workspace / "tools/remote/toolchain"], stdout=subprocess.PIPE, text=True, check=True
        ).stdout.strip()
        cls.run_here, cls.tested_here = cls.build_with_cache(cls.here, cls.toolchain)

    @classmethod
    def cached(cls, on: NestedBazel, toolchain: str, verb: str, *arguments: str) -> list[evidence.Spawn]:
        return run_bazel(
            on,
            verb,
            "--config=remote-cache",
            f"--remote_cache={cls.cache.url}",
            f"--remote_default_exec_properties=toolchain={toolchain}",
            *arguments,
        )

    @classmethod
    def build_with_cache(cls, on: NestedBazel, toolchain: str) -> tuple[list[evidence.Spawn], dict[str, bool]]:
        events = on.workspace.parent / "events.json"
        found = cls.cached(on, toolchain, "test", f"--build_event_json_file={events}", *PACKAGES, *TESTS)
        return found, tested_remotely(events)

    def setUp(self) -> None:
        # Others may be at work in the checkout: the second clone is one of the first.
        contexts = contextlib.ExitStack()
        self.addCleanup(contexts.close)
        scratch = Path(contexts.enter_context(scratch_folder()))
        self.elsewhere = contexts.enter_context(machine(ELSEWHERE, self.here.workspace, scratch))

    def check_all_run_by(self, found: list[evidence.Spawn], runner: str) -> None:
        others = evidence.not_run_by(found, runner)
        if others:
            self.fail(evidence.listed(f"not run by {runner}", others))

    def check_same_bytes(self) -> None:
        self.assertLessEqual(set(LANDMARKS), evidence.outputs(self.elsewhere.workspace).keys())
        different = evidence.differences(self.here.workspace, self.elsewhere.workspace)
        if different:
            self.fail(different)

    def check_attempt(self, listener: Listener, verb: str, target: str) -> None:
        """First without network: once it has succeeded, Bazel would not run it again in another sandbox."""
        arguments = [f"--define=port={listener.port}", "--test_output=all", target]
        before = listener.connections
        refused = self.elsewhere.command(verb, "--config=hermetic", *arguments)
        self.assertNotEqual(refused.returncode, 0, "it succeeded without network")
        self.assertRegex(refused.stderr + refused.stdout, "connect: (Connection refused|Network is unreachable)")
        self.assertEqual(listener.connections, before)

        self.elsewhere.check(verb, *arguments)
        self.assertEqual(listener.connections, before + 1, "the attempt connects where it may")

    def test_the_first_machine_builds_all_itself(self) -> None:
        self.check_all_run_by(self.run_here, evidence.BUILT_HERE)
        self.assertEqual(self.tested_here, dict.fromkeys(TESTS, False))

    def test_a_machine_without_network_and_cache_makes_the_same(self) -> None:
        found = run_bazel(self.elsewhere, "test", "--config=hermetic", *PACKAGES, *TESTS)
        self.check_all_run_by(found, evidence.WITHOUT_NETWORK)
        self.check_same_bytes()

        with Listener() as listener:
            for verb, target in ATTEMPTS:
                with self.subTest(target):
                    self.check_attempt(listener, verb, target)
            made = self.elsewhere.workspace / "bazel-bin/tests/build/network/answer.txt"
            self.assertEqual(made.read_text(encoding="utf-8"), listener.answer)

    def test_a_machine_with_the_cache_fetches_everything(self) -> None:
        stored = contents(self.stored)
        fetched, tested = self.build_with_cache(self.elsewhere, self.toolchain)
        self.check_all_run_by(fetched, evidence.FETCHED)
        self.assertEqual({spawn.outputs for spawn in self.run_here}, {spawn.outputs for spawn in fetched})
        self.assertEqual(tested, dict.fromkeys(TESTS, True))
        self.assertEqual(stored, contents(self.stored), "the second build changed the cache")
        self.check_same_bytes()

        # A machine with other tools does not take what the first one stores.
        for toolchain, runner in [(self.toolchain, evidence.FETCHED), ("other-" + self.toolchain, evidence.BUILT_HERE)]:
            self.elsewhere.check("clean")
            found = self.cached(self.elsewhere, toolchain, "build", SMALL)
            self.assertEqual({spawn.runner for spawn in found}, {runner}, toolchain)

    def test_a_cluster_makes_the_same(self) -> None:
        scratch = self.elsewhere.workspace.parent / "worker"
        scratch.mkdir()
        with ReferenceWorker(scratch) as worker:
            found = run_bazel(
                self.elsewhere, "test", "--config=remote", f"--remote_executor={worker.url}", *PACKAGES, *TESTS
            )
        self.check_all_run_by(found, evidence.SENT)
        self.check_same_bytes()


if __name__ == "__main__":
    move_into_own_network()
    main()
