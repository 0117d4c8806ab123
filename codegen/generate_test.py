# SPDX-License-Identifier: MIT
"""The command line: what is refused, how, and that the output is the same every time."""

import contextlib
import io
import os
import random
import resource
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import IO

from codegen import generate
from codegen.header_reader import FOLDER, SPECS, Header

# A valid spec, one list entry a line: entry i is line i + 1.
VALID = [
    "tiny 8 1 96",
    "tiny 16 1 96",
    "tiny 32 1 96",
    "tiny 64 1 96",
    "tiny 1024 1 64",
    "l2 2048 1 64",
    "l2 4096 2 32",
    "l2 32768 8 4",
    "l25 65536 1 4",
    "l25 131072 2 4",
    "l25 1048576 16 2",
]


def with_lines(changes: dict[int, str]) -> list[str]:
    """VALID with some lines, from 1, replaced."""
    return [changes.get(line, text) for line, text in enumerate(VALID, start=1)]


def without_lines(*lines: int) -> list[str]:
    return [text for line, text in enumerate(VALID, start=1) if line not in lines]


def many_classes(count: int) -> list[str]:
    """A valid spec of `count` classes: all 128 multiples of 8 in tiny, then multiples of 128 in L2."""
    tiny = [f"tiny {size} 1 96" for size in range(8, 1025, 8)]
    upper = ["l2 32768 8 4", "l25 1048576 16 2"]
    l2 = [f"l2 {1024 + 128 * step} 1 4" for step in range(1, count - len(tiny) - len(upper) + 1)]
    return tiny + l2 + upper


# What is refused: the lines of a spec, the line that the message names, what it says is wrong and allowed.
REFUSED: dict[str, tuple[list[str], int, str, str]] = {
    "three columns": (with_lines({2: "tiny 16 1"}), 2, "3 columns", "pool block_size chunks_per_slab"),
    "five columns": (with_lines({2: "tiny 16 1 96 7"}), 2, "5 columns", "pool block_size chunks_per_slab"),
    "a word for a number": (with_lines({2: "tiny big 1 96"}), 2, "'big' is not a number", "decimal digits"),
    "a negative number": (with_lines({2: "tiny 16 -1 96"}), 2, "'-1' is not a number", "decimal digits"),
    "an underscore": (with_lines({2: "tiny 16 1 9_6"}), 2, "'9_6' is not a number", "decimal digits"),
    "too many digits": (with_lines({2: "tiny 16 1 9876543210"}), 2, "is not a number", "nine decimal digits"),
    "an unknown pool": (with_lines({2: "huge 16 1 96"}), 2, "unknown pool 'huge'", "tiny, l2 and l25"),
    "tiny after l2": (with_lines({7: "tiny 4096 1 32"}), 7, "pool tiny after pool l2", "order tiny, l2, l25"),
    "l2 after l25": (with_lines({10: "l2 131072 2 4"}), 10, "pool l2 after pool l25", "order tiny, l2, l25"),
    "a smaller size": (with_lines({4: "tiny 24 1 96"}), 4, "size 24 after size 32", "ascend"),
    "a repeated size": (with_lines({3: "tiny 16 1 96"}), 3, "size 16 is repeated, first used on line 2", "one class"),
    "a size repeated later": (
        with_lines({4: "tiny 8 1 96"}),
        4,
        "size 8 is repeated, first used on line 1",
        "one class",
    ),
    "a size repeated in the next pool": (
        with_lines({6: "l2 1024 1 64"}),
        6,
        "size 1024 is repeated, first used on line 5",
        "one class",
    ),
    "not a multiple of 8": (with_lines({3: "tiny 36 1 96"}), 3, "size 36", "multiples of 8"),
    "size 0": (with_lines({1: "tiny 0 1 96"}), 1, "size 0 in pool tiny", "above 0 and at most 1024"),
    "above tiny": (with_lines({5: "tiny 1032 1 64"}), 5, "size 1032 in pool tiny", "at most 1024"),
    "above l2": (with_lines({8: "l2 33792 8 4"}), 8, "size 33792 in pool l2", "at most 32768"),
    "above l25": (with_lines({11: "l25 1049600 16 2"}), 11, "size 1049600 in pool l25", "at most 1048576"),
    "not above tiny": (with_lines({5: "l2 1024 1 64"}), 5, "size 1024 in pool l2", "above 1024"),
    "not above l2": (with_lines({8: "l25 32768 1 4"}), 8, "size 32768 in pool l25", "above 32768"),
    "tiny uncovered": (without_lines(5), 4, "leaves sizes 65 to 1024 uncovered", "last class is 1024"),
    "l2 uncovered": (without_lines(8), 7, "leaves sizes 4097 to 32768 uncovered", "last class is 32768"),
    "l25 uncovered": (without_lines(11), 10, "leaves sizes 131073 to 1048576 uncovered", "last class is 1048576"),
    "no tiny": (without_lines(1, 2, 3, 4, 5), 6, "pool tiny has no class", "last class is 1024"),
    "no l2": (without_lines(6, 7, 8), 8, "pool l2 has no class", "last class is 32768"),
    "no l25": (without_lines(9, 10, 11) + ["", "# end"], 10, "pool l25 has no class", "last class is 1048576"),
    "an empty spec": ([], 1, "pool tiny has no class", "last class is 1024"),
    "255 classes": (many_classes(255), 255, "class 255", "at most 254 classes"),
    "a block above its slab": (
        with_lines({10: "l25 131072 1 4"}),
        10,
        "131072 bytes is larger than its slab of 65536",
        "2 chunks or more",
    ),
    "too many blocks": (with_lines({1: "tiny 8 2 96"}), 1, "16384 blocks a slab", "at most 8192"),
    "no chunk": (with_lines({7: "l2 4096 0 32"}), 7, "0 chunks", "1 to 16"),
    "17 chunks": (with_lines({7: "l2 4096 17 32"}), 7, "17 chunks", "1 to 16"),
    "an odd capacity": (with_lines({7: "l2 4096 2 33"}), 7, "magazine capacity 33", "even numbers from 2 to 126"),
    "capacity 0": (with_lines({7: "l2 4096 2 0"}), 7, "magazine capacity 0", "even numbers from 2 to 126"),
    "capacity 128": (with_lines({7: "l2 4096 2 128"}), 7, "magazine capacity 128", "even numbers from 2 to 126"),
    "a long l2 table": (with_lines({6: "l2 2064 1 64"}), 6, "table of 2048 entries", "at most 1024"),
    "a long l25 table": (with_lines({9: "l25 66048 2 4"}), 9, "table of 2048 entries", "at most 1024"),
    "an inexact reciprocal": (
        with_lines({7: "l2 28672 16 4"}),
        7,
        "reciprocal 149797 of 28672 gives index",
        "fewer chunks",
    ),
}

# The last allowed value of each limit.
ACCEPTED = {
    "the base of all refusals": VALID,
    "comments, blank lines and tabs": ["# head", "", VALID[0] + "  # why", VALID[1].replace(" ", "\t")] + VALID[2:],
    "lines that end in CR LF": [line + "\r" for line in VALID],
    "254 classes": many_classes(254),
    "1024 table entries": with_lines({6: "l2 2080 1 64", 9: "l25 66560 2 4"}),
    "capacities 2 and 126": with_lines({1: "tiny 8 1 126", 2: "tiny 16 1 2"}),
    "16 chunks": with_lines({7: "l2 4096 16 32"}),
    "5 chunks of an exact reciprocal": with_lines({7: "l2 28672 5 4"}),
}


class CommandLine(unittest.TestCase):
    """Each test has a folder of its own and calls the program in this process."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.spec = self.folder / "some.spec"
        self.output = self.folder / "hak_classes.h"

    def run_main(self, *arguments: str) -> tuple[int, str]:
        """Exit status and standard error. Nothing may reach standard output."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = generate.main(arguments)
            except SystemExit as stop:
                assert isinstance(stop.code, int)
                status = stop.code
        self.assertEqual(out.getvalue(), "")
        return status, err.getvalue()

    def generate(self, spec: Path, output: object) -> tuple[int, str]:
        return self.run_main("--spec", str(spec), "--granularity", "1", "--output", str(output))

    def assert_refused(self, spec: Path, *parts: str) -> None:
        """Status 2 and one line of message; no output appears, and one that was there stays."""
        self.output.unlink(missing_ok=True)
        status, message = self.generate(spec, self.output)
        self.assertEqual(status, 2)
        self.assertEqual(message.count("\n"), 1, message)
        for part in parts:
            self.assertIn(part, message)
        self.assertFalse(self.output.exists())
        self.output.write_text("older header")
        before = self.output.stat()
        self.assertEqual(self.generate(spec, self.output)[0], 2)
        self.assertEqual(self.output.read_text(), "older header")
        self.assertEqual(self.output.stat().st_mtime_ns, before.st_mtime_ns)

    def test_a_spec_that_breaks_a_limit_is_refused_with_its_line(self) -> None:
        for what, (lines, line, wrong, allowed) in REFUSED.items():
            with self.subTest(what):
                self.spec.write_text("".join(text + "\n" for text in lines))
                self.assert_refused(self.spec, f"{self.spec}:{line}: ", wrong, "; ", allowed)

    def test_the_last_allowed_value_of_each_limit_is_accepted(self) -> None:
        for what, lines in ACCEPTED.items():
            with self.subTest(what):
                self.spec.write_text("".join(text + "\n" for text in lines), newline="")
                self.assertEqual(self.generate(self.spec, self.output), (0, ""))
                rows = Header(self.output.read_text()).all_rows()
                self.assertEqual(len(rows), sum(bool(line.partition("#")[0].strip()) for line in lines))

    def test_a_damaged_spec_is_understood_or_refused(self) -> None:
        """Whatever its bytes are: a header with all its rows, or one line that says what is wrong."""
        draw = random.Random(1)
        sound = "".join(line + "\n" for line in VALID).encode()
        statuses = set()
        for _ in range(400):
            text = bytearray(sound)
            for _ in range(draw.randrange(1, 4)):
                at = draw.randrange(len(text))
                match draw.randrange(5):
                    case 0:
                        text[at] = draw.randrange(256)
                    case 1:
                        text[at:at] = bytes([draw.choice(b"0123456789 \t\n\r#-+_.")])
                    case 2:
                        del text[at]
                    case 3:
                        text[at : at + draw.randrange(30)] = b""
                    case _:
                        lines = text.splitlines(keepends=True)
                        lines.insert(draw.randrange(len(lines)), draw.choice(lines))
                        text = bytearray(b"".join(lines))
            self.spec.write_bytes(text)
            self.output.unlink(missing_ok=True)
            status, message = self.generate(self.spec, self.output)
            self.assertIn(status, (0, 2), (text, message))
            self.assertEqual(message.count("\n"), 1 if status else 0, (text, message))
            self.assertEqual(self.output.exists(), status == 0, text)
            if status == 0:
                self.assertTrue(Header(self.output.read_text()).all_rows())
            statuses.add(status)
        self.assertEqual(statuses, {0, 2})

    def test_a_last_line_without_newline_counts(self) -> None:
        self.spec.write_text("\n".join(VALID))
        self.assertEqual(self.generate(self.spec, self.output), (0, ""))
        self.spec.write_text("\n".join(without_lines(9, 10, 11)))
        self.assert_refused(self.spec, f"{self.spec}:8: end of file")

    def test_a_spec_that_cannot_be_read_is_refused(self) -> None:
        self.assert_refused(self.folder / "absent.spec", "absent.spec: cannot be read: No such file")
        self.assert_refused(self.folder, f"{self.folder}: cannot be read: Is a directory")
        self.spec.write_bytes(b"# one\n# two \xff\n")
        self.assert_refused(self.spec, f"{self.spec}:2: not UTF-8; ")

    def test_a_name_that_would_end_a_c_comment_or_string_is_refused(self) -> None:
        for name in ('quo"te.spec', "star*.spec", "back\\slash.spec"):
            with self.subTest(name):
                (self.folder / name).write_text("\n".join(VALID))
                self.assert_refused(self.folder / name, "letters, digits and '_.-' are allowed")

    def test_wrong_arguments_have_status_2(self) -> None:
        spec, output = f"--spec={SPECS['pow2']}", f"--output={self.output}"
        wrong: list[list[str]] = [[], [spec, output], [spec, output, "--granularity=4"], [spec, "--granularity=1"]]
        for arguments in wrong:
            self.assertEqual(self.run_main(*arguments)[0], 2)
        self.assertFalse(self.output.exists())

    def test_an_output_that_cannot_be_written_is_an_error(self) -> None:
        status, message = self.generate(SPECS["pow2"], self.folder / "absent" / "hak_classes.h")
        self.assertEqual(status, 2)
        self.assertIn("hak_classes.h: cannot be written: No such file", message)


class Program(unittest.TestCase):
    """The program as a process of its own."""

    def run_program(
        self,
        *arguments: str,
        hash_seed: str = "0",
        stdout: IO[bytes] | int = subprocess.PIPE,
        preexec_fn: Callable[[], None] | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, str(FOLDER / "generate.py"), *arguments]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        return subprocess.run(
            command, env=environment, check=False, stdout=stdout, stderr=subprocess.PIPE, preexec_fn=preexec_fn
        )

    def test_two_runs_give_the_same_bytes(self) -> None:
        for name, granularity in (("pow2", "1"), ("fine", "8")):
            arguments = ("--spec", str(SPECS[name]), "--granularity", granularity, "--output", "-")
            first, second = (self.run_program(*arguments, hash_seed=seed) for seed in ("1", "2"))
            self.assertEqual((first.returncode, first.stderr), (0, b""))
            self.assertGreater(len(first.stdout), 1000)
            self.assertEqual(first.stdout, second.stdout)

    def test_a_multiple_leaves_out_classes_and_no_size(self) -> None:
        for name in SPECS:
            with self.subTest(name):
                all_sizes, multiples = (
                    [row.block_size for row in Header(self.header(name, multiple)).all_rows()] for multiple in (8, 16)
                )
                self.assertEqual(multiples, [size for size in all_sizes if size % 16 == 0])
                self.assertLess(len(multiples), len(all_sizes))

    def test_without_a_multiple_every_class_stays(self) -> None:
        for name in SPECS:
            self.assertEqual(self.header(name, 8), generate.header_for(str(SPECS[name]), 1))

    def header(self, name: str, multiple: int) -> str:
        arguments = ("--spec", str(SPECS[name]), "--granularity", "1", "--multiple", str(multiple), "--output", "-")
        result = self.run_program(*arguments)
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        return result.stdout.decode()

    def test_standard_output_and_a_file_hold_the_same(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "hak_classes.h"
            common = ("--spec", str(SPECS["pow2"]), "--granularity", "1", "--output")
            self.assertEqual(self.run_program(*common, str(file)).stdout, b"")
            self.assertEqual(self.run_program(*common, "-").stdout, file.read_bytes())

    def test_a_standard_output_that_fills_up_has_status_2(self) -> None:
        """The limit leaves less unwritten than Python would keep in its buffer until it ends."""
        arguments = ("--spec", str(SPECS["pow2"]), "--granularity", "1", "--output", "-")
        limit = len(self.run_program(*arguments).stdout) - 1000
        with tempfile.TemporaryFile() as file:
            result = self.run_program(
                *arguments,
                stdout=file,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
            )
        self.assertEqual(result.returncode, 2)
        self.assertEqual(result.stderr, b"-: cannot be written: File too large\n")


if __name__ == "__main__":
    unittest.main()
