# SPDX-License-Identifier: MIT
"""What is refused before a root is made, how one is made and entered, and what becomes of an outcome."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path
from unittest import mock

from bench.debian13 import debian13
from tools.measure.program import BenchError

_MADE = "opt/hakmem/root-is-made"


class Debian13Test(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name) / "root"
        self.lines: list[list[str]] = []
        self.status = 0
        self.start_mock(mock.patch.object(debian13.subprocess, "run", side_effect=self._ran))  # type: ignore[attr-defined]

    def start_mock(self, patch: "mock._patch[mock.MagicMock]") -> None:
        patch.start()
        self.addCleanup(patch.stop)

    def _ran(self, line: list[str], check: bool) -> mock.Mock:
        self.assertFalse(check)
        self.lines.append(line)
        return mock.Mock(returncode=self.status)

    def test_who_is_not_root_is_told(self) -> None:
        with mock.patch("os.geteuid", return_value=1000):
            with self.assertRaisesRegex(BenchError, "as root, or by sudo"):
                debian13.require_means()

    def test_a_tool_that_is_missing_is_named(self) -> None:
        with mock.patch("os.geteuid", return_value=0), mock.patch("shutil.which", return_value=None):
            with self.assertRaisesRegex(BenchError, "debootstrap is not installed"):
                debian13.require_means()

    def test_a_root_is_made_once(self) -> None:
        debian13.make(self.root)
        debian13.make(self.root)
        (line,) = self.lines
        self.assertEqual(line[0], "debootstrap")
        self.assertEqual(line[-2:], ["trixie", str(self.root)])
        (included,) = [word for word in line if word.startswith("--include=")]
        for package in ("libmimalloc3", "libjemalloc2", "libtcmalloc-minimal4t64"):
            self.assertIn(package, included)

    def test_a_root_that_was_not_made_to_its_end_is_refused(self) -> None:
        self.status = 1
        with self.assertRaisesRegex(BenchError, "debootstrap of .* failed with status 1"):
            debian13.make(self.root)
        self.assertFalse((self.root / _MADE).exists())
        (self.root / "debootstrap").touch()
        with self.assertRaisesRegex(BenchError, "remove it, or name another --root"):
            debian13.make(self.root)

    def test_what_is_run_is_a_copy(self) -> None:
        built = self.root.parent / "built"
        (built / "hakmem").mkdir(parents=True)
        (built / "source").write_text("new")
        (built / "hakmem/library").symlink_to(built / "source")
        for _ in range(2):
            copied = debian13.copy(self.root, built) / "hakmem/library"
            self.assertEqual((copied.read_text(), copied.is_symlink()), ("new", False))

    def test_the_root_is_entered_in_a_namespace_of_its_own(self) -> None:
        line = debian13.entered(self.root, ["/x", "--seed=1"])
        self.assertEqual(line[:2], ["unshare", "--mount"])
        self.assertEqual(line[-3:], [str(self.root), "/x", "--seed=1"])

    def test_a_report_gets_its_commit_and_an_outcome_of_programs_none(self) -> None:
        commit = {"id": "a", "modified": False}
        self.assertEqual(debian13.with_commit({"commit": None}, commit), {"commit": commit})
        self.assertEqual(debian13.with_commit({"rounds": 15}, commit), {"rounds": 15})

    def test_arguments_of_the_bench_are_passed_on(self) -> None:
        parsed, passed = debian13.parser().parse_known_args(["lab", "--root=/r", "--quick", "--workload=pair"])
        self.assertEqual((parsed.bench, parsed.root, passed), ("lab", Path("/r"), ["--quick", "--workload=pair"]))

    def test_a_root_is_where_the_caller_means(self) -> None:
        """`bazel run` starts programs elsewhere."""
        with mock.patch.dict("os.environ", BUILD_WORKING_DIRECTORY="/caller"):
            own = debian13.parser()
            roots = [own.parse_args(line).root for line in (["lab", "--root=d13"], ["lab"])]
        self.assertEqual(roots, [Path("/caller/d13"), debian13.ROOT])


if __name__ == "__main__":
    unittest.main()
