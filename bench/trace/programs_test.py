# SPDX-License-Identifier: MIT
"""The standard programs: each is recorded, shortened, and replayed with all blocks checked."""

from __future__ import annotations

import shutil
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from bench.trace import programs
from tools.measure import recording
from tools.measure.program import BenchError

_LIMIT = 60_000


class ProgramsTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "traces"

    def test_all_programs(self) -> None:
        with mock.patch.object(programs, "LIMIT", _LIMIT):
            traces = programs.record_all(self.folder)
        self.assertEqual(list(traces), ["gcc", "perl", "python", "redis", "sqlite"])
        self.assertEqual(sorted(self.folder.iterdir()), sorted(traces.values()))
        for name, path in traces.items():
            with self.subTest(name):
                found = recording.info(path)
                self.assertEqual((found["events"], found["end"]), (_LIMIT, "limit"))
                self.assertGreater(found["allocations"], _LIMIT // 4)
                self.assertEqual(found["calls"]["free_unknown"] + found["calls"]["free_unseen"], 0)
                replayed = recording.ask("--verify", str(path))
                self.assertEqual(replayed["workload"], f"trace:{name}")
                self.assertGreater(replayed["operations"], _LIMIT * 9 // 10)

    def test_redis_hands_blocks_to_another_thread(self) -> None:
        """Whole, for that comes at its end; and within what was promised."""
        path = programs.record_all(self.folder, ["redis"])["redis"]
        found = recording.info(path)
        self.assertEqual(found["end"], "exit")
        self.assertLess(found["events"], programs.LIMIT)
        self.assertGreater(found["handed_over"], 10_000)
        self.assertGreater(found["threads"], 1)

    def test_recordings_of_one_program_do_the_same(self) -> None:
        with mock.patch.object(programs, "LIMIT", _LIMIT):
            counts = []
            for _ in range(2):
                found = recording.info(programs.record_all(self.folder, ["sqlite"])["sqlite"])
                counts.append({key: found[key] for key in ("calls", "sizes", "allocated_bytes", "peak_live_bytes")})
        self.assertEqual(counts[0], counts[1])

    def test_unknown_program(self) -> None:
        with self.assertRaisesRegex(BenchError, "no such program: cobol; there are gcc, "):
            programs.record_all(self.folder, ["cobol"])

    def test_missing_program(self) -> None:
        with mock.patch.object(shutil, "which", return_value=None):
            with self.assertRaisesRegex(BenchError, "install redis-server, redis-tools"):
                programs.record_all(self.folder, ["redis"])


if __name__ == "__main__":
    unittest.main()
