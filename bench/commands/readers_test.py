# SPDX-License-Identifier: MIT
"""readers: its arithmetic, a real run of few operations, and that publishing changes no instruction of who allocates."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import unittest
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bench.commands import readers
from bench.commands.readers import AGAIN, ALONE, BESIDE, ELSEWHERE, Run
from bench.engine import valgrind
from tools.measure import paired
from tools.measure.rounds import Turn

# Of each run below callgrind: some seconds, in which the page is written several times.
_OPERATIONS = 1_000_000

# The program's loop, malloc and free. What an exchange and those behind it do depends on where blocks lie, which is drawn at
# random for each process.
_COMPARED = re.compile(r"(replace_blocks|malloc|free)(\.|$)")


def _runs(times: Sequence[float]) -> list[Run]:
    return [Run(time, {"stat": 3 + number}) for number, time in enumerate(times)]


def _measured(reading: float, rounds: int = paired.ROUNDS_MIN) -> readers.Row:
    """Of a machine that gets slower from round to round, where the readers' load costs a tenth, and reading so much."""
    drift = [10 * 1.03**number for number in range(rounds)]
    noise = [1 + 0.002 * (-1) ** number for number in range(rounds)]
    loaded = [1.1 * time for time in drift]
    runs = {
        ALONE: drift,
        ELSEWHERE: loaded,
        AGAIN: [time * factor for time, factor in zip(loaded, noise)],
        BESIDE: [reading * time * factor for time, factor in zip(loaded, reversed(noise))],
    }
    return readers.row(("stat",), {key: _runs(times) for key, times in runs.items()}, 1)


class ArithmeticTest(unittest.TestCase):
    def test_a_ratio_is_of_one_round(self) -> None:
        row = _measured(1.05)
        self.assertAlmostEqual(row.load.median, 1.1, places=9)
        self.assertAlmostEqual(row.floor.median, 1.002, places=9)
        self.assertAlmostEqual(row.reading.median, 1.05, delta=0.003)
        self.assertAlmostEqual(row.cpu_ns, 10 * 1.03**7, places=9)
        self.assertEqual(row.done, {"stat": 3})

    def test_only_what_is_beyond_the_floor_is_slower(self) -> None:
        rows = [_measured(1.05), _measured(1.0), _measured(0.95)]
        self.assertEqual(readers.verdicts(rows), ["slower", "equivalent", "faster"])

    def test_few_rounds_have_a_median_and_no_verdict(self) -> None:
        row = _measured(1.05, rounds=paired.ROUNDS_MIN - 1)
        self.assertIsNone(row.reading.ratio)
        self.assertEqual(readers.verdicts([row]), ["incomplete"])
        self.assertRegex(readers.grid([row]).lines[0][4], r"^1\.0[45]\d$")

    def test_each_reader_is_measured_alone_and_all_together(self) -> None:
        self.assertEqual(readers.slots(("top", "walk", "top")), [("top",), ("walk",), ("top", "walk")])
        self.assertEqual(readers.slots(("top",)), [("top",)])


class RealRunTest(unittest.TestCase):
    def test_a_walk_is_a_row(self) -> None:
        done = subprocess.run(
            ["bench/readers", "--readers=walk", "--rounds=1", "--seconds=1"],
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"(?m)^walk  .* incomplete .* [1-9]\d* walk$")

    def test_each_reader_gets_through(self) -> None:
        for key in (ELSEWHERE, BESIDE):
            with self.subTest(key):
                found = readers.measure(1, 1, Turn(0, tuple(readers.READERS), key, 0))
                self.assertEqual(set(found.done), set(readers.READERS))
                self.assertTrue(all(found.done.values()), found.done)
                self.assertGreater(found.cpu_ns, 0)

    def test_a_reader_that_there_is_not_is_refused(self) -> None:
        done = subprocess.run(["bench/readers", "--readers=ear"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("there is no reader 'ear'", done.stderr)


class InstructionsTest(unittest.TestCase):
    def written_ms(self, program: readers.Program) -> int:
        """When its page was written last."""
        program.wait_until_published()
        line = ["tools/cli/hakmem", "stat", "--format=json", str(program.process.pid)]
        done = subprocess.run(line, stdout=subprocess.PIPE, text=True, check=True)
        return int(json.loads(done.stdout)["clock_ms"])

    def counted(self, publishes: bool) -> Counter[tuple[str, str]]:
        """(file, function) -> instructions of one thread that replaces blocks, by callgrind."""
        with tempfile.TemporaryDirectory() as folder:
            program = readers.Program(
                "1",
                str(_OPERATIONS),
                wrapper=[
                    valgrind.tool("valgrind"),
                    "--quiet",
                    "--fair-sched=yes",
                    "--tool=callgrind",
                    f"--callgrind-out-file={folder}/out",
                    "--separate-threads=yes",
                    "--compress-strings=no",
                    "--compress-pos=no",
                    "--collect-atstart=no",
                    "--toggle-collect=replace_blocks*",  # compilers make copies of it
                ],
                HAKMEM_PUBLISH="1" if publishes else "0",
                HAKMEM_PURGE_DELAY_MS="-1",  # or it would depend on the clock what goes back
            )
            self.addCleanup(program.kill)
            before = self.written_ms(program) if publishes else 0
            program.say()
            program.result()
            if publishes:
                self.assertGreater(self.written_ms(program), before, "the page is written meanwhile")
            program.finish()
            self.assertEqual(program.process.wait(), 0)
            found: Counter[tuple[str, str]] = Counter()
            for path in Path(folder).iterdir():
                text = path.read_text()
                if "\nfn=replace_blocks" in text:
                    found += valgrind.parse_costs(text.splitlines())
        return found

    def test_publishing_changes_no_instruction(self) -> None:
        counts = [self.counted(publishes) for publishes in (False, True)]
        alone, published = ({key: n for key, n in each.items() if _COMPARED.match(key[1])} for each in counts)
        same = sum(alone.values())
        more = counts[0].total() - same
        print(f"{same:,} instructions of {_OPERATIONS:,} operations; {more:,} more in exchanges, slabs and regions")
        self.assertGreater(same, 40 * _OPERATIONS)
        different = {key[1]: (alone.get(key), published.get(key)) for key in alone | published}
        self.assertEqual({name: each for name, each in different.items() if each[0] != each[1]}, {})
        # What places change is a few thousandths.
        self.assertLess(abs(counts[1].total() - counts[0].total()), same / 100)


if __name__ == "__main__":
    unittest.main()
