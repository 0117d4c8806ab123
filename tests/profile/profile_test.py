# SPDX-License-Identifier: MIT
"""Profiles and lists of leaks of a program under libhakmem.so, read by the tools that they are for."""

from __future__ import annotations

import re
import signal
import subprocess
import unittest
from pathlib import Path

from tests.profile.case import (
    DEVIATIONS,
    EXACT,
    PPROF,
    PROGRAM,
    ProfileCase,
    by_function,
    deviation,
    environment,
    parse,
    texts,
)
from tools.cli.symbols import Place, build_id, resolve


def _number(thing: str) -> str:
    """ "1 block", "2 blocks" and so on; the number is a group."""
    return rf"(\d+) {thing}(?:(?<=\b1 {thing})|(?<!\b1 {thing})s)"


_HELD = rf"hakmem: leaks: {_number('byte')} in {_number('block')}"
_SUM = re.compile(rf"{_HELD} live, from {_number('path')}; (.+)")
_ASKED = re.compile(rf"hakmem: leaks:   asked for: {_number('byte')}")
_LOST = re.compile(r"hakmem: leaks:   (?:of these, nothing reaches|lost:) .+")
_LEAK = re.compile(rf"{_HELD} from 0x[0-9a-f]+: (/.+)\+(0x[0-9a-f]+)")
_CALLER = re.compile(r"hakmem: leaks:   called from 0x[0-9a-f]+: (/.+)\+(0x[0-9a-f]+)")


def pprof_says(profile: Path, value: str) -> dict[str, float]:
    """What the text of google-pprof or jeprof says, by function: bytes or objects."""
    unit = ["--show_bytes"] if value.endswith("space") else []
    done = subprocess.run(
        [PPROF, "--text", f"--{value}", *unit, str(PROGRAM), str(profile)],
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    rows = (line.split() for line in done.stdout.splitlines() if line.count("%") == 3)
    return {row[5]: float(row[0]) for row in rows}


class FileTest(ProfileCase):
    def test_every_block_is_exact(self) -> None:
        path = self.folder / "profile.pb.gz"
        self.assertEqual(self.run_program(HAKMEM_PROFILE=str(path), HAKMEM_PROFILE_RATE="1"), "")
        profile = parse(path)
        text = texts(profile)
        self.assertEqual(text[0], "")
        self.assertEqual(
            [(text[one.type], text[one.unit]) for one in profile.sample_type],
            [
                ("alloc_objects", "count"),
                ("alloc_space", "bytes"),
                ("inuse_objects", "count"),
                ("inuse_space", "bytes"),
            ],
        )
        self.assertEqual((text[profile.period_type.type], profile.period), ("space", 1))
        self.assertEqual(text[profile.default_sample_type], "inuse_space")
        self.assertEqual(list(profile.comment), [])
        self.assertEqual(len({one.id for one in profile.location}), len(profile.location))
        self.assertEqual(len({one.address for one in profile.location}), len(profile.location))
        found = by_function(profile)
        for function, exact in EXACT.items():
            self.assertEqual((found[function].allocations, found[function].live), (exact.allocations, exact.live))
        self.check_estimates(found, 1)

    def test_build_ids_are_those_of_the_files(self) -> None:
        path = self.folder / "profile.pb.gz"
        self.run_program(HAKMEM_PROFILE=str(path), HAKMEM_PROFILE_RATE="1")
        profile = parse(path)
        text = texts(profile)
        found = {text[one.filename]: text[one.build_id] for one in profile.mapping if text[one.filename][:1] == "/"}
        self.assertEqual(found, {name: build_id(name) for name in found})
        (library,) = [name for name in found if name.endswith("/libc.so.6")]
        self.assertRegex(found[library], "^[0-9a-f]{40}$")

    def test_estimates_are_within_their_error(self) -> None:
        for rate in (4096, 100000):
            path = self.folder / f"{rate}.pb.gz"
            self.run_program(HAKMEM_PROFILE=str(path), HAKMEM_PROFILE_RATE=str(rate))
            profile = parse(path)
            self.assertEqual(profile.period, rate)
            self.check_estimates(by_function(profile), rate)

    def test_pprof_names_functions_and_estimates(self) -> None:
        for rate in (1, 4096):
            path = self.folder / f"{rate}.heap"
            self.run_program(HAKMEM_PROFILE=str(path), HAKMEM_PROFILE_RATE=str(rate))
            for value, kind in (("alloc_objects", "allocations"), ("inuse_objects", "live")):
                found = pprof_says(path, value)
                for function, exact in EXACT.items():
                    wanted = getattr(exact, kind)
                    error = DEVIATIONS * deviation(wanted, exact.least_bytes, rate) + 1
                    self.assertLessEqual(abs(found[function] - wanted), error, function)

    def test_default_rate_and_pprof_by_bytes(self) -> None:
        path = self.folder / "default.heap"
        self.run_program(HAKMEM_PROFILE=str(path))
        self.assertRegex(path.read_text().splitlines()[0], r"^heap profile: \d+: \d+ \[\d+: \d+\] @ heap_v2/524288$")
        found = pprof_says(path, "alloc_space")
        self.assertAlmostEqual(found["make_huge"] / (40 * (3 << 20)), 1, delta=0.1)

    def test_child_writes_a_file_of_its_own_or_none(self) -> None:
        path = self.folder / "parent.pb.gz"
        self.run_program("fork", HAKMEM_PROFILE=str(path), HAKMEM_PROFILE_RATE="1")
        found = by_function(parse(path))
        self.assertEqual(found["make_small"].allocations, 1)
        self.assertNotIn("make_huge", found)
        self.run_program("fork", HAKMEM_PROFILE=str(self.folder / "of-%p.pb.gz"), HAKMEM_PROFILE_RATE="1")
        both = [by_function(parse(one)) for one in self.folder.glob("of-*.pb.gz")]
        self.assertEqual(sorted(one["make_small"].allocations for one in both), [1, 20001])

    def test_signal_that_ends_the_program_writes_first(self) -> None:
        for name in ("HUP", "INT", "QUIT", "TERM"):
            path = self.folder / f"{name}.pb.gz"
            process, _ = self.start_program(
                "wait", HAKMEM_DUMP_SIGNAL=name, HAKMEM_PROFILE=str(path), HAKMEM_PROFILE_RATE="1"
            )
            number = getattr(signal, f"SIG{name}")
            process.send_signal(number)
            self.assertEqual(process.wait(), -number)
            found = by_function(parse(path))
            for function, exact in EXACT.items():
                self.assertEqual((found[function].allocations, found[function].live), (exact.allocations, exact.live))

    def test_signal_without_the_option_writes_nothing(self) -> None:
        path = self.folder / "profile.pb.gz"
        process, _ = self.start_program("wait", HAKMEM_PROFILE=str(path))
        process.terminate()
        self.assertEqual(process.wait(), -signal.SIGTERM)
        self.assertFalse(path.exists())

    def test_signal_that_is_ignored_stays_ignored(self) -> None:
        path = self.folder / "profile.pb.gz"
        variables = {"HAKMEM_DUMP_SIGNAL": "HUP", "HAKMEM_PROFILE": str(path)}
        done = subprocess.run(
            ["/bin/sh", "-c", "trap '' HUP; sh -c 'kill -HUP $$; echo alive'"],
            env=environment(variables),
            capture_output=True,
            text=True,
            check=True,
        )
        self.assertEqual(done.stdout, "alive\n")

    def test_file_that_cannot_be_written_is_said(self) -> None:
        said = self.run_program(HAKMEM_PROFILE=str(self.folder / "none" / "profile.pb.gz"))
        self.assertRegex(said, "^hakmem: warning: /.*: the profile could not be written; No such file or directory\n$")
        self.assertRegex(self.run_program(HAKMEM_PROFILE="/dev/full"), "it is not a regular file\n$")


def matched(pattern: re.Pattern[str], line: str) -> re.Match[str]:
    found = pattern.fullmatch(line)
    assert found is not None, line
    return found


class LeaksTest(ProfileCase):
    def test_every_live_block_by_call(self) -> None:
        first, *lines = self.run_program(HAKMEM_LEAKS="1").splitlines()
        whole = matched(_SUM, first)
        leaks = [
            matched(_LEAK, line) for line in lines if not any(one.fullmatch(line) for one in (_ASKED, _CALLER, _LOST))
        ]
        self.assertEqual((whole[4], int(whole[3])), ("exact", len(leaks)))
        self.assertEqual(sum(int(one[1]) for one in leaks), int(whole[1]))
        self.assertEqual(sum(int(one[2]) for one in leaks), int(whole[2]))
        places = {one: Place(one[3], int(one[4], 16)) for one in leaks}
        known = resolve(places.values())
        blocks = {known[place].function: int(one[2]) for one, place in places.items() if place.path == str(PROGRAM)}
        self.assertEqual(blocks, {function: exact.live for function, exact in EXACT.items()})

    def test_bytes_that_were_asked_for(self) -> None:
        lines = self.run_program(HAKMEM_LEAKS="1").splitlines()
        asked: dict[int, int] = {}
        for line, following in zip(lines, lines[1:]):
            if (leak := _LEAK.fullmatch(line)) is not None:
                more = _ASKED.fullmatch(following)
                asked[int(leak[2])] = int(more[1] if more else leak[1])
        for function in ("make_small", "make_zeroed", "make_large", "make_huge"):
            exact = EXACT[function]
            self.assertEqual(asked[exact.live], exact.live * exact.least_bytes, function)
        self.assertEqual(sum(asked.values()), int(matched(_ASKED, lines[1])[1]))

    def test_callers_up_to_the_program_s_start(self) -> None:
        said = self.run_program(HAKMEM_LEAKS="1").splitlines()
        lines = [line for line in said if not _LOST.fullmatch(line) and not _ASKED.fullmatch(line)]
        position = next(i for i, line in enumerate(lines) if f" in {EXACT['make_zeroed'].live} blocks" in line)
        callers: list[Place] = []
        while (found := _CALLER.fullmatch(lines[position + 1 + len(callers)])) is not None:
            callers.append(Place(found[1], int(found[2], 16)))
        known = resolve(callers)
        names = [known[place].function for place in callers]
        self.assertEqual((names[:2], names[-1]), (["make_all", "main"], "_start"))

    def test_no_callers_where_none_are_wanted(self) -> None:
        said = self.run_program(HAKMEM_LEAKS="1", HAKMEM_PROFILE_FRAMES="0")
        self.assertNotIn("called from", said)

    def test_plugin_in_the_place_of_another(self) -> None:
        """What is known of a path through the first must not be looked for on the stack of the second."""
        folder = Path("tests/profile").resolve()
        done = subprocess.run(
            [folder / "replaced", *(folder / f"libreplaced_{size}.so" for size in ("large", "small"))],
            env=environment({"HAKMEM_LEAKS": "1"}),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 3:
            self.skipTest("the second plug-in was not loaded in the place of the first")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_rate_makes_it_an_estimate(self) -> None:
        first, *lines = self.run_program(HAKMEM_LEAKS="1", HAKMEM_PROFILE_RATE="10000").splitlines()
        self.assertEqual(matched(_SUM, first)[4], "estimated from a sample every 10000 bytes")
        self.assertGreater(len(lines), 3)

    def test_program_that_closes_standard_error_at_its_end(self) -> None:
        done = subprocess.run(
            ["/bin/ls", "/"], env=environment({"HAKMEM_LEAKS": "1"}), capture_output=True, text=True, check=True
        )
        first, *lines = done.stderr.splitlines()
        self.assertRegex(first, _SUM)
        for line in lines:
            self.assertRegex(line, "|".join(f"(?:{one.pattern})" for one in (_LEAK, _CALLER, _LOST, _ASKED)))
        self.assertIn(" in 1 block from ", done.stderr)

    def test_off_by_default(self) -> None:
        self.assertEqual(self.run_program(HAKMEM_LEAKS="0"), "")

    def test_the_child_that_execs_has_a_list_of_its_own(self) -> None:
        said = self.run_program("exec", HAKMEM_LEAKS="1")
        self.assertEqual(len([line for line in said.splitlines() if _SUM.fullmatch(line)]), 2)


if __name__ == "__main__":
    unittest.main()
