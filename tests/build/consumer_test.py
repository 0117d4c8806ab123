# SPDX-License-Identifier: MIT
"""A workspace that names this one as an external repository builds and runs the programs of docs/use-from-bazel.md.

The files of the workspace are the blocks of that page, as they stand there. There is no network: a download would fail.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from tests.build.nested_bazel import NestedBazel, checkout, clone, main
from tests.build.reference_worker import move_into_own_network

# `NAME`: and, indented, what the file holds.
_FILE = re.compile(r"^`(?P<name>[\w.]+)`:\n\n(?P<text>(?:    .*\n|\n)+)", re.MULTILINE)
_PLACE = "/path/to/hakmem"
_FILES = {"WORKSPACE", ".bazelrc", "BUILD", "calls.c", "drop_in.cc"}
# Debian's linux-sandbox prints its log for each command; the page names this as the way out.
_QUIET = "--spawn_strategy=processwrapper-sandbox,local"


def files_of(page: str) -> dict[str, str]:
    return {found["name"]: re.sub("^    ", "", found["text"], flags=re.MULTILINE) for found in _FILE.finditer(page)}


class Consumer(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(scratch.cleanup)
        self.scratch = Path(scratch.name)
        self.workspace = self.scratch / "consumer"
        self.workspace.mkdir()
        page = (checkout() / "docs/use-from-bazel.md").read_text(encoding="utf-8")
        self.assertIn(_QUIET, page)
        self.assertIn(_PLACE, page)
        files = files_of(page)
        self.assertEqual(files.keys(), _FILES)
        hakmem = clone(checkout(), self.scratch / "hakmem")
        for name, text in files.items():
            (self.workspace / name).write_text(text.replace(_PLACE, str(hakmem)), encoding="utf-8")

    def said_by(self, program: str) -> str:
        path = self.workspace / "bazel-bin" / program
        nothing: dict[str, str] = {}
        return subprocess.run([path], env=nothing, stdout=subprocess.PIPE, text=True, check=True).stdout

    def test_the_documented_workspace_builds_and_its_programs_are_served(self) -> None:
        environment = {"HOME": str(self.scratch), "USER": "consumer"}
        with NestedBazel(self.workspace, self.scratch / "outputs", environment) as bazel:
            bazel.check("build", _QUIET, "//:calls", "//:drop_in")
            self.assertRegex(self.said_by("calls"), r"^a block of \d+ bytes from hakmem\n$")
            self.assertRegex(self.said_by("drop_in"), r"^a block of \d+ bytes from hakmem, p0\+p1\+p2\+p3\n$")
            # Flags by the names that they have in that workspace.
            bazel.check("build", "--nobuild", "--@hakmem//hakmem/flags:guard=exact", "//:calls")


if __name__ == "__main__":
    move_into_own_network()
    main()
