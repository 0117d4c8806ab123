# SPDX-License-Identifier: MIT
"""Processes in namespaces of their own, as containers have them, seen from outside: both of processes and of files."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from tools.cli import namespaces, published
from tools.cli.observe_case import LIBRARY, OBSERVED, ObserveCase


class ContainerTest(ObserveCase):
    @classmethod
    def setUpClass(cls) -> None:
        reason = namespaces.why_not()
        if reason:
            print(f"skipped: {reason}")
            raise unittest.SkipTest(reason)

    def contained(self) -> tuple[int, Path]:
        """The number here of a program that is the first of its namespace, and where its files lie there."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        source, place = Path(folder.name) / "source", Path(folder.name) / "place"
        source.mkdir()
        place.mkdir()
        shutil.copy(OBSERVED, source / "contained")
        shutil.copy(LIBRARY, source / "libhakmem.so")
        options = "HAKMEM_PUBLISH=1 HAKMEM_PROFILE=/dev/null HAKMEM_PROFILE_RATE=1"
        start = f"{options} LD_PRELOAD={place}/libhakmem.so exec {place}/contained load 1"
        script = f"mount -t tmpfs none {place} && cp {source}/* {place} && {start}"
        outer = self.start(*namespaces.UNSHARE, "sh", "-c", script, preload="", publish="0")
        self.assertEqual(self.said, "ready")
        pid = int(Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text(encoding="ascii"))
        self.assertEqual(list(place.iterdir()), [], "its files are its own")
        self.until(lambda: self.is_published(pid), "published")
        return pid, place

    def test_listed_by_all(self) -> None:
        pid, _ = self.contained()
        numbers = re.findall(r"(?m)^NSpid:\s+(\d+)\s+(\d+)$", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))
        self.assertEqual(numbers, [(str(pid), "1")])
        self.assertIn(pid, published.processes())
        self.assertIn(f"contained ({pid})", self.succeed("stat", str(pid)))
        self.assertIn(f"contained ({pid})", self.succeed("top", "--count=1", "--interval=0.5", str(pid)))
        self.assertRegex(self.of_all("top", "--list", "--interval=0.5"), rf"(?m)^{pid} +contained ")
        self.assertIn(f'pid="{pid}",command="contained"', self.succeed("stat", "--format=prometheus", str(pid)))

    def test_functions_are_those_of_its_own_files(self) -> None:
        pid, _ = self.contained()
        sites = json.loads(self.succeed("leaks", "--format=json", "--most=10000", str(pid)))["sites"]
        self.assertIn("replace_blocks", {site["function"] for site in sites})
        self.assertIn("replace_blocks", self.succeed("profile", "--view=folded", str(pid)))

    def test_files_that_are_gone_are_said_to_be(self) -> None:
        pid, place = self.contained()
        subprocess.run(["nsenter", f"--target={pid}", "--mount", "rm", f"{place}/contained"], check=True)
        # One of the same path here is none of its.
        shutil.copy("/bin/ls", place / "contained")
        path = rf"/proc/{pid}/root{place}/contained \(deleted\)"
        words = rf"no names of functions of contained \(deleted\): {path} cannot be read\n"
        for line in (("leaks",), ("leaks", "--format=json"), ("profile", "--view=top")):
            done = self.run_command(*line, str(pid))
            self.assertEqual(done.returncode, 0)
            self.assertRegex(done.stderr, rf"\Ahakmem {line[0]}: {words}\Z")
            self.assertRegex(done.stdout, r"contained \(deleted\)")
            self.assertNotIn("replace_blocks", done.stdout)


if __name__ == "__main__":
    unittest.main()
