"""A cluster builds and tests everything: no command runs here, and what it makes is what is made here."""

from __future__ import annotations

import unittest

from tests.build import evidence
from tests.build.nested_bazel import main
from tests.build.reference_worker import ReferenceWorker, move_into_own_network
from tests.build.two_clones import LANDMARKS, PACKAGES, TESTS, two_clones


class RemoteExecutor(unittest.TestCase):
    def test_everything_runs_elsewhere_and_makes_the_same(self) -> None:
        with two_clones() as (here, sender):
            here.check("build", *PACKAGES, *TESTS)

            scratch, log = sender.workspace.parent / "worker", sender.workspace.parent / "log.json"
            scratch.mkdir()
            with ReferenceWorker(scratch) as worker:
                sender.check("test", "--config=remote", f"--remote_executor={worker.url}",
                             f"--execution_log_json_file={log}", *PACKAGES, *TESTS)
            not_sent = evidence.not_run_by(evidence.spawns(log), evidence.SENT)
            if not_sent:
                self.fail(evidence.listed("not sent to the cluster", not_sent))

            self.assertLessEqual(set(LANDMARKS), evidence.outputs(sender.workspace).keys())
            different = evidence.differences(here.workspace, sender.workspace)
            if different:
                self.fail(different)


if __name__ == "__main__":
    move_into_own_network()
    main()
