# SPDX-License-Identifier: MIT
"""The program from end to end on the smallest workload, and what it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import jsonschema

_HERE = Path(__file__).parent
_PROGRAM = str(_HERE / "programs")


def start(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "BUILD_WORKING_DIRECTORY"}
    return subprocess.run(
        [_PROGRAM, *arguments], capture_output=True, text=True, check=False, env=environment, stdin=subprocess.DEVNULL
    )


class ProgramsTest(unittest.TestCase):
    def refuse(self, arguments: list[str], *parts: str) -> None:
        done = start(*arguments)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        for part in ("usage: programs", *parts):
            self.assertIn(part, done.stderr)

    def test_once(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "outcome.json"
            done = start(
                "--once", "--programs=lua", "--peers=glibc,jemalloc,guard,guard-full", "--format=json", f"--json={file}"
            )
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            whole = json.loads(done.stdout)
            self.assertEqual(json.loads(file.read_text()), whole)
        jsonschema.validate(whole, json.loads((_HERE / "programs.schema.json").read_text()))
        (lua,) = whole["programs"]
        self.assertEqual(
            [row["name"] for row in lua["contenders"]], ["hakmem", "glibc", "jemalloc", "guard", "guard-full"]
        )
        for row in lua["contenders"]:
            # Lua's tree alone is some megabytes; nothing here needs a hundred, or a minute.
            self.assertGreater(row["peak_bytes"], 4 << 20)
            self.assertLess(row["peak_bytes"], 100 << 20)
            self.assertLess(row["seconds"], 60)
            self.assertLessEqual(row["cpu_seconds"], row["seconds"] * 1.1)

    def test_wrong_arguments(self) -> None:
        self.refuse(["--programs=lua,perll"], "'perll' is no program", "perl", "sqlite")
        self.refuse(["--programs=lua,lua"], "names a program twice")
        self.refuse(["--programs="], "'' is no program")
        self.refuse(["--peers=hoard"], "'hoard' is no peer", "glibc", "tcmalloc")
        self.refuse(["--rounds=3"], "--rounds", "15")
        self.refuse(["--once", "--rounds=20"], "--once is one round: no --rounds goes with it")
        self.refuse(
            ["--peers=glibc,guard-full"], "stress_ng does not run under guard-full", "leave it out: --programs="
        )
        self.refuse(["--peers=guard-full", "--programs=stress_ng"], "8 bytes to blocks of fewer; leave it out\n")
        self.refuse(["lua"], "unrecognized arguments: lua")

    def test_a_refusal_leaves_no_file(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self.refuse(["--once", "--rounds=20", f"--json={folder}/outcome.json"], "no --rounds goes with it")
            self.assertEqual(list(Path(folder).iterdir()), [])

    def test_file_that_cannot_be_written(self) -> None:
        """Said before anything is measured."""
        done = start("--programs=lua", "--json=/no/such/folder/file")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("/no/such/folder/file", done.stderr)
        self.assertNotIn("Traceback", done.stderr)


if __name__ == "__main__":
    unittest.main()
