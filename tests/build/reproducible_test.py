"""Two builds from nothing, on machines that share nothing but the sources and the tools, make the same bytes."""

from __future__ import annotations

import unittest

from tests.build import evidence
from tests.build.nested_bazel import main
from tests.build.two_clones import LANDMARKS, PACKAGES, TESTS, two_clones


class Reproducible(unittest.TestCase):
    def test_two_clean_builds_are_byte_identical(self) -> None:
        with two_clones() as machines:
            for machine in machines:
                log = machine.workspace.parent / "log.json"
                machine.check("build", f"--execution_log_json_file={log}", *PACKAGES, *TESTS)
                not_run = evidence.not_run_by(evidence.spawns(log), evidence.BUILT_HERE)
                if not_run:
                    self.fail(evidence.listed("not built by this machine", not_run))
                self.assertLessEqual(set(LANDMARKS), evidence.outputs(machine.workspace).keys())

            first, second = (machine.workspace for machine in machines)
            different = evidence.differences(first, second)
            if different:
                self.fail(different)


if __name__ == "__main__":
    main()
