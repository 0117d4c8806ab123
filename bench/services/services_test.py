# SPDX-License-Identifier: MIT
"""The program from end to end on the service that needs nothing, and what it and that service refuse."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import jsonschema

from bench.services.service import LOOK_SECONDS

_HERE = Path(__file__).parent
_PROGRAM = str(_HERE / "services")


def start(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "BUILD_WORKING_DIRECTORY"}
    return subprocess.run(
        [_PROGRAM, *arguments], capture_output=True, text=True, check=False, env=environment, stdin=subprocess.DEVNULL
    )


class ServicesTest(unittest.TestCase):
    def refuse(self, arguments: list[str], *parts: str) -> None:
        done = start(*arguments)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        for part in ("usage: services", *parts):
            self.assertIn(part, done.stderr)

    def test_one_service(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "outcome.json"
            done = start(
                "--services=pool", "--peers=glibc", "--seconds=11", "--idle=1", "--format=json", f"--json={file}"
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            whole = json.loads(done.stdout)
            self.assertEqual(json.loads(file.read_text()), whole)
        jsonschema.validate(whole, json.loads((_HERE / "services.schema.json").read_text()))
        (pool,) = whole["services"]
        self.assertEqual([row["name"] for row in pool["contenders"]], ["hakmem", "glibc"])
        for row in pool["contenders"]:
            self.assertLessEqual(row["idle_bytes"], row["peak_bytes"])
            self.assertLess(row["peak_bytes"], 1 << 30)
            self.assertLessEqual(row["p50_seconds"], row["p99_seconds"])
            self.assertGreaterEqual(row["requests"], 64)
            self.assertGreater(row["idle_from"], 0)

    def test_wrong_arguments(self) -> None:
        self.refuse(["--services=pool,pol"], "'pol' is no service", "redis", "spike")
        self.refuse(["--services=pool,pool"], "names a service twice")
        self.refuse(["--peers=hoard"], "'hoard' is no peer")
        self.refuse(["--rounds=0"], "'0' is not a whole number from 1")
        self.refuse(["--seconds=20"], "--seconds: 20 leaves no time to work", "are 22")

    def test_file_that_cannot_be_written(self) -> None:
        """Said before anything is measured."""
        done = start("--services=pool", "--json=/no/such/folder/file")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("/no/such/folder/file", done.stderr)
        self.assertNotIn("Traceback", done.stderr)


class ShapesTest(unittest.TestCase):
    def shapes(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        with tempfile.TemporaryDirectory() as folder:
            program = str((_HERE / "shapes").resolve())
            return subprocess.run([program, *arguments], capture_output=True, text=True, check=False, cwd=folder)

    def test_refuses(self) -> None:
        for arguments, part in {
            "": "usage: shapes",
            "spike 1 1 -1": "'-1' is not a whole number",
            "spike 1 1 1x": "'1x' is not a whole number",
            "drop 1 1 1": "there is no shape 'drop'",
        }.items():
            done = self.shapes(*arguments.split())
            self.assertEqual(done.returncode, 2)
            self.assertIn(part, done.stderr)

    def test_the_spike_is_held_for_several_looks(self) -> None:
        began = time.monotonic()
        self.assertEqual(self.shapes("spike", "30", "1", "8").returncode, 0)
        self.assertGreater(time.monotonic() - began, 5 * LOOK_SECONDS)

    def test_every_shape_comes_to_its_end(self) -> None:
        for shape in ("spike", "drift", "churn", "pool"):
            done = self.shapes(shape, "30", "1", "8")
            self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""), shape)


if __name__ == "__main__":
    unittest.main()
