# SPDX-License-Identifier: MIT
""".ci/count_tests.py: what it counts, and that a file of events which is not whole never passes."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

PROGRAM = Path(".ci/count_tests.py")
read_events = runpy.run_path(str(PROGRAM))["read_events"]


def _summary(label: str, status: str) -> dict[str, Any]:
    return {"id": {"testSummary": {"label": label}}, "testSummary": {"overallStatus": status}}


_FIRST = {"id": {"started": {}}, "children": []}
_NOT_BUILT = {"id": {"testSummary": {"label": "//a:broken"}}, "aborted": {"reason": "INCOMPLETE"}}
_LAST = {"id": {"buildToolLogs": {}}, "lastMessage": True}


def _text(*events: Any) -> bytes:
    return "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events).encode()


_WHOLE = _text(_FIRST, _summary("//a:one", "PASSED"), _summary("//a:grün", "PASSED"), _LAST)


class CountTest(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)

    def count(self, files: dict[str, bytes], broken: int = 0, folder: Path | None = None) -> tuple[int, str, list[str]]:
        """Status, the line on standard output, and those on standard error."""
        for name, text in files.items():
            (self.folder / f"{name}.json").write_bytes(text)
        done = subprocess.run(
            [sys.executable, PROGRAM, f"--broken={broken}", folder or self.folder],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertNotIn("Traceback", done.stderr)
        return done.returncode, done.stdout, done.stderr.split("\n")[:-1]

    def test_all_passed(self) -> None:
        self.assertEqual(self.count({"a": _WHOLE, "b": _WHOLE}), (0, "4 passed, 0 failed\n", []))

    def test_whatever_is_no_pass_has_failed(self) -> None:
        for event, status in ((_summary("//a:broken", "FLAKY"), "FLAKY"), (_NOT_BUILT, "NOT BUILT")):
            found = self.count({"a": _text(_FIRST, _summary("//a:one", "PASSED"), event, _LAST)})
            self.assertEqual(found, (1, "1 passed, 1 failed\n", [f"a: //a:broken: {status}"]))

    def test_another_step_that_failed_is_a_failure(self) -> None:
        status, said, (why,) = self.count({"a": _WHOLE}, broken=1)
        self.assertEqual((status, said), (1, "2 passed, 1 failed\n"))
        self.assertIn("a step failed before or beside the tests", why)

    def test_a_file_that_is_cut_anywhere_fails(self) -> None:
        last_feed = len(_WHOLE) - 1
        for length in range(last_feed):
            with self.subTest(length):
                self.assertRegex(read_events(_WHOLE[:length])[1], "^is (empty$|cut)")
        for length in (last_feed, last_feed + 1):
            self.assertEqual(read_events(_WHOLE[:length])[1], "")
        for length in (0, last_feed // 2, last_feed - 1):
            status, _, (why,) = self.count({"a": _WHOLE[:length]})
            self.assertEqual(status, 1)
            self.assertRegex(why, r"\Aa: \S+/a\.json is (empty$|cut)")

    def test_one_that_is_cut_is_seen_beside_others(self) -> None:
        status, said, (why,) = self.count({"a": _WHOLE, "b": _text(_FIRST, _summary("//a:one", "PASSED")), "c": _WHOLE})
        self.assertEqual((status, said), (1, "5 passed, 1 failed\n"))
        self.assertIn("/b.json is cut: the last of its 2 build events is not Bazel's last", why)

    def test_what_is_no_event_is_said(self) -> None:
        for line in (b"", b"null", b"[]", b"{}", b'{"id": 5}', b"\xff", b"[" * 100000, b"1" * 5000):
            status, _, (why,) = self.count({"a": _text(_FIRST) + line + b"\n" + _text(_LAST)})
            with self.subTest(line[:10]):
                self.assertEqual(status, 1)
                self.assertIn("/a.json is cut or damaged: line 2 is no build event", why)

    def test_summaries_of_another_form_are_no_pass(self) -> None:
        for event in (
            {"id": {"testSummary": 5}, "testSummary": {"overallStatus": "PASSED"}},
            {"id": {"testSummary": {"label": "//a:b"}}, "testSummary": 5},
            {"id": {"testSummary": {"label": "//a:b"}}, "testSummary": {"overallStatus": ["PASSED"]}},
        ):
            with self.subTest(event):
                self.assertEqual(self.count({"a": _text(_FIRST, event, _LAST)})[0], 1)

    def test_nothing_is_no_pass(self) -> None:
        cases: list[tuple[dict[str, bytes], Path | None]] = [({}, None), ({}, self.folder / "none")]
        for files, folder in (*cases, ({"a": _text(_FIRST, _LAST)}, None)):
            status, said, (why,) = self.count(files, folder=folder)
            self.assertEqual((status, said), (1, "0 passed, 0 failed\n"))
            self.assertIn("no test passed", why)

    def test_a_file_that_cannot_be_read(self) -> None:
        (self.folder / "a.json").mkdir()
        status, _, (why,) = self.count({"b": _WHOLE})
        self.assertEqual(status, 1)
        self.assertIn("a.json cannot be read: Is a directory", why)


if __name__ == "__main__":
    unittest.main()
