# SPDX-License-Identifier: MIT
"""Which blocks are lost: hakmem's counts beside LeakSanitizer's, of the same programs."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import time
import unittest
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.profile.case import environment
from tests.profile.running import RunningCase
from tools.cli import shared

_PROGRAM = Path("tests/profile/lost").resolve()
_SECONDS = 300
_LOST = re.compile(
    r"hakmem: leaks:   of these, nothing reaches \d+ bytes? in (\d+) blocks?: "
    r"(\d+) blocks? directly, (\d+) blocks? through others"
)
_LIVE = re.compile(r"hakmem: leaks: \d+ bytes? in (\d+) blocks? live, from \d+ paths?; exact")
_SANITIZER = re.compile(r"^(Direct|Indirect) leak of \d+ byte\(s\) in (\d+) object\(s\)", re.MULTILINE)

# Of Debian's essential packages, and each loses some. Their output does not depend on the machine.
_REAL = (
    ["/usr/bin/tar", "cf", "/dev/null", "/etc/hosts"],
    ["/usr/bin/locale", "--all-locales"],
    ["/usr/bin/dpkg-query", "--list"],
)


@dataclass(frozen=True)
class Lost:
    directly: int
    indirectly: int

    @property
    def all(self) -> int:
        return self.directly + self.indirectly


def _run(command: list[str], variables: dict[str, str]) -> str:
    """What it said on standard error."""
    done = subprocess.run(
        command,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    return done.stderr


def _of_hakmem(command: list[str]) -> tuple[Lost, int]:
    """And how many blocks are live."""
    said = _run(command, environment({"HAKMEM_LEAKS": "1"}))
    found, live = _LOST.search(said), _LIVE.search(said)
    assert found is not None and live is not None, said
    lost = Lost(int(found[2]), int(found[3]))
    assert lost.all == int(found[1]), said
    return lost, int(live[1])


@cache
def _sanitizer_library() -> str:
    command = ["/usr/bin/gcc", "-print-file-name=liblsan.so"]
    path = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert path.startswith("/"), "libgcc-12-dev brings liblsan.so"
    return path


def _of_sanitizer(command: list[str]) -> Lost:
    """Programs may close standard error before they end, so it writes a file."""
    with tempfile.TemporaryDirectory() as folder:
        options = f"log_path={folder}/said:detect_leaks=1"
        _run(command, {"PATH": "/usr/bin:/bin", "LD_PRELOAD": _sanitizer_library(), "LSAN_OPTIONS": options})
        said = "".join(one.read_text(errors="replace") for one in Path(folder).iterdir())
    if "has encountered a fatal error" in said:
        raise unittest.SkipTest("LeakSanitizer may not stop threads here")
    sums = {"Direct": 0, "Indirect": 0}
    for kind, count in _SANITIZER.findall(said):
        sums[kind] += int(count)
    return Lost(sums["Direct"], sums["Indirect"])


class LostTest(unittest.TestCase):
    def test_planted(self) -> None:
        lost, live = _of_hakmem([str(_PROGRAM)])
        self.assertEqual((lost, live), (Lost(2002, 1048), 9158))
        self.assertEqual(_of_sanitizer([str(_PROGRAM)]), lost)

    def test_what_the_program_mapped_is_a_root(self) -> None:
        self.assertEqual(_of_hakmem([str(_PROGRAM), "mapped"]), (Lost(2002, 1048), 9159))

    def test_free_blocks_are_none(self) -> None:
        self.assertEqual(_of_hakmem([str(_PROGRAM), "freed"]), (Lost(2003, 1048), 9159))

    def test_exit_in_a_handler(self) -> None:
        """The list is there each time; what is lost stands in it where the thread was outside of the allocator."""
        for _ in range(20):
            said = _run([str(_PROGRAM), "handler"], environment({"HAKMEM_LEAKS": "1"}))
            self.assertRegex(said, _LIVE)

    def test_stacks_of_other_threads(self) -> None:
        lost, live = _of_hakmem([str(_PROGRAM), "thread"])
        self.assertEqual(lost, Lost(2002, 1048))
        self.assertGreaterEqual(live, 9160)

    def test_real_programs(self) -> None:
        for command in _REAL:
            with self.subTest(command[0]):
                lost, _ = _of_hakmem(command)
                self.assertGreater(lost.all, 0)
                self.assertEqual(_of_sanitizer(command), lost)

    def test_paths_with_lost_blocks_come_first(self) -> None:
        said = _run([str(_PROGRAM)], environment({"HAKMEM_LEAKS": "1"})).splitlines()
        paths = [i for i, line in enumerate(said) if re.match(r"hakmem: leaks: \d+ bytes? in \d+ blocks? from ", line)]
        ends = [*paths[1:], len(said)]
        lost = [any("  lost: " in line for line in said[first:end]) for first, end in zip(paths, ends)]
        self.assertEqual(lost, sorted(lost, reverse=True))
        self.assertIn(
            "hakmem: leaks:   lost: 16777216 bytes in 8 blocks: 0 blocks directly, 8 blocks through others",
            said[paths[0] : ends[0]],
        )

    def test_blocks_that_are_not_sampled_are_followed(self) -> None:
        said = _run([str(_PROGRAM)], environment({"HAKMEM_LEAKS": "1", "HAKMEM_PROFILE_RATE": "65536"}))
        found = _LOST.search(said)
        assert found is not None, said
        # Nearly always sampled, unlike the small blocks that point to them, which lie in magazines before they are taken.
        self.assertIn("16777216 bytes in 8 blocks: 0 blocks directly, 8 blocks through others", said)


class RunningTest(RunningCase):
    def test_asked_while_it_runs(self) -> None:
        process = self.start_talking(_PROGRAM, "wait", HAKMEM_LEAKS="1", HAKMEM_PUBLISH="1")
        pid = str(process.pid)
        self.wait_for_page(process.pid)
        for _ in range(2):
            found = json.loads(self.answer("leaks", "--lost", "--format=json", "--depth=0", pid))
            # The first slow path of the program's thread starts another, whose table of thread-local storage is live too.
            self.assertGreaterEqual(found["blocks"], 9158)
            self.assertEqual(
                (found["lost"]["directly"], found["lost"]["through_others"]), (2002, 1048), found["sites"][:2]
            )
        sums = [sum(one["lost"][key] for one in found["sites"]) for key in ("bytes", "directly", "through_others")]
        self.assertEqual(sums, list(found["lost"].values()))
        self.assertRegex(self.answer("leaks", "--lost", pid), r"lost: 19\.0 MiB in 3,050 blocks\n")
        process.communicate()
        self.assertEqual(process.returncode, 0, "the program saw a child")

    def wait_for_page(self, pid: int) -> None:
        while not any(shared.open_shared(pid, "hakmem")):
            time.sleep(0.02)

    def test_who_publishes_nothing_cannot_be_asked(self) -> None:
        pid = str(self.start_waiting(_PROGRAM, "wait", HAKMEM_LEAKS="1"))
        for line, words in (
            ((pid,), "publishes nothing"),
            ((pid, "--seconds=1"), "--lost is of a running program"),
            ((pid, f"--since={__file__}"), "--lost is of a running program"),
            ((__file__,), "--lost is of a running program"),
        ):
            done = self.hakmem("leaks", "--lost", *line)
            self.assertEqual((done.returncode, done.stdout), (2, ""), line)
            self.assertIn(words, done.stderr)


if __name__ == "__main__":
    unittest.main()
