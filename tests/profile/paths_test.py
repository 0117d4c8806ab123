# SPDX-License-Identifier: MIT
"""Leaks that only their callers tell apart: each path is named, function by function, with its lines."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any

from tests.profile.case import parse, texts
from tests.profile.running import RunningCase
from tools.cli import namespaces

_PROGRAM = Path("tests/profile/planted").resolve()
_SOURCE = Path("tests/profile/planted.c")

_BLOCKS = 7
_DEPTH = 50
_CALLERS = 32
"""That a sample keeps."""

# Size -> the path from xmalloc outwards.
_LEAKS = {
    48: ("parse_header", "handle_request", "main"),
    1000: ("parse_body", "handle_request", "main"),
    100000: ("cache_put", "handle_request", "main"),
    200: ("compare",),
    5000: ("run_thread",),
    3000: ("descend",) * (_CALLERS - 1),
}

_LINES = {
    found[1]: number
    for number, line in enumerate(_SOURCE.read_text(encoding="utf-8").splitlines(), 1)
    if (found := re.search(r"/\* line: (\w+) \*/", line))
}


class PathsCase(RunningCase):
    def start_planted(self, *before: str, program: Path = _PROGRAM, **variables: str) -> int:
        return self.start_waiting(*before, program, **variables)

    def leaks(self, pid: int, *options: str) -> dict[int, dict[str, Any]]:
        """Of the program itself, by the size of a block."""
        sizes: dict[int, dict[str, Any]] = {}
        for site in self.sites(pid, *options):
            if site["function"] == "checked":
                each = float(site["bytes"] / site["blocks"])  # of the class
                size = max(one for one in _LEAKS if one <= each)
                self.assertNotIn(size, sizes, "two rows of one leak")
                sizes[size] = site
        return sizes


class LeaksTest(PathsCase):
    def check_paths(self, found: dict[int, dict[str, Any]]) -> None:
        self.assertEqual(set(found), set(_LEAKS))
        for size, path in _LEAKS.items():
            site = found[size]
            self.assertEqual((site["blocks"], site["asked"]), (_BLOCKS, _BLOCKS * size))
            self.assertFalse(site["open"])
            frames = [site, *site["callers"]]
            self.assertEqual([one["function"] for one in frames][: 2 + len(path)], ["checked", "xmalloc", *path])
            for one in frames[: 2 + len(path)]:
                if one["function"] in _LINES and one["function"] not in ("main", "handle_request", "descend"):
                    self.assertEqual((Path(one["file"]).name, one["line"]), (_SOURCE.name, _LINES[one["function"]]))
            self.assertEqual(frames[2]["line"], _LINES[path[0]])

    def test_each_leak_is_a_row_with_its_path(self) -> None:
        pid = self.start_planted(HAKMEM_LEAKS="1")
        self.check_paths(self.leaks(pid, "--depth=100"))
        self.assertEqual(set(self.leaks(pid)), set(_LEAKS))
        first = self.leaks(pid, "--depth=100")[48]
        self.assertEqual(
            (first["callers"][2]["function"], first["callers"][2]["line"]), ("handle_request", _LINES["handle_request"])
        )

    def test_table(self) -> None:
        pid = self.start_planted(HAKMEM_LEAKS="1")
        table = self.answer("leaks", str(pid))
        self.assertRegex(
            table,
            rf"(?m)^checked +planted\.c:{_LINES['checked']} +7 +\S+ KiB +684 KiB *\n"
            rf"  xmalloc +planted\.c:{_LINES['xmalloc']} *\n"
            rf"  cache_put +planted\.c:{_LINES['cache_put']} *\n  handle_request +planted\.c:\d+ *\n  main +planted\.c:\d+ *$",
        )
        self.assertRegex(table, r"(?m)^  descend \(\d+ times\) +planted\.c:\d+ *$")

    def test_depth_merges_what_it_does_not_show(self) -> None:
        pid = self.start_planted(HAKMEM_LEAKS="1")
        (site,) = [one for one in self.sites(pid, "--depth=0") if one["function"] == "checked"]
        self.assertEqual((site["blocks"], site["callers"]), (_BLOCKS * len(_LEAKS), []))

    def test_a_program_whose_files_are_elsewhere(self) -> None:
        """In a container: its paths lead nowhere here."""
        if reason := namespaces.why_not():
            self.skipTest(reason)
        with tempfile.TemporaryDirectory() as jail:
            shutil.copy(_PROGRAM, f"{self.folder}/planted")
            script = f'mount -t tmpfs none {jail} && cp {self.folder}/planted {jail}/contained && exec "$0"'
            pid = self.start_planted(
                "unshare", "--mount", "sh", "-c", script, program=Path(jail) / "contained", HAKMEM_LEAKS="1"
            )
            self.assertFalse((Path(jail) / "contained").exists())
            self.check_paths(self.leaks(pid, "--depth=100"))
            self.assertIn(
                ";handle_request;cache_put;xmalloc;checked ", self.answer("profile", "--view=folded", str(pid))
            )


class GrowthTest(PathsCase):
    def test_nothing_grows_in_a_program_that_waits(self) -> None:
        pid = str(self.start_planted(HAKMEM_LEAKS="1"))
        found = json.loads(self.answer("leaks", "--seconds=1", "--format=json", pid))
        self.assertEqual((found["seconds"], found["bytes"], found["sites"]), (1, 0, []))
        self.assertIn("growth in 1 second: 0 B in 0 blocks; exact", self.answer("leaks", "--seconds=1", pid))
        self.assertIn("growth of live bytes in 1 second: 0 B", self.answer("profile", "--seconds=1", "--view=top", pid))

    def test_what_came_since_a_profile_was_saved(self) -> None:
        process = self.start_talking(_PROGRAM, HAKMEM_LEAKS="1")
        pid = str(process.pid)
        self.answer("profile", pid, "-o", "before.pb.gz")
        self.assertIn("growth since before.pb.gz: 0 B in 0 blocks", self.answer("leaks", "--since=before.pb.gz", pid))
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        self.wait_for(process)
        self.answer("profile", pid, "-o", "after.pb.gz")
        for what in (pid, "after.pb.gz"):
            found = json.loads(self.answer("leaks", "--since=before.pb.gz", "--format=json", what))
            self.assertEqual((found["since"], found["pid"]), ("before.pb.gz", process.pid if what == pid else None))
            self.assertIsNone(found["asked"], "a file does not have it")
            self.assertEqual(
                [(one["blocks"], one["callers"][1]["function"]) for one in found["sites"]],
                [(1, "cache_put"), (1, "parse_body"), (1, "parse_header")],
            )
            self.assertEqual(found["bytes"], sum(one["bytes"] for one in found["sites"]))
        # By functions and lines, since another process has other addresses.
        other = str(self.start_planted(HAKMEM_LEAKS="1"))
        self.assertEqual(json.loads(self.answer("leaks", "--since=before.pb.gz", "--format=json", other))["bytes"], 0)

    def test_since_goes_with_no_seconds(self) -> None:
        (self.folder / "a.pb.gz").write_bytes(b"")
        for line in (("--since=a.pb.gz", "--seconds=1", "1"), ("--seconds=1", "a.pb.gz")):
            done = self.hakmem("leaks", *line)
            self.assertEqual((done.returncode, done.stdout), (2, ""), line)
            self.assertIn("--seconds looks twice at a running program", done.stderr)
        self.assertIn("'none' is not a file", self.hakmem("leaks", "--since=none", "1").stderr)


class ExplainTest(PathsCase):
    def test_functions_that_were_inlined_at_an_address(self) -> None:
        pid = self.start_planted(HAKMEM_LEAKS="1")
        site = self.leaks(pid)[48]
        wanted = rf"checked at .*planted\.c:{_LINES['checked']}"
        outer = rf"inlined in xmalloc at .*planted\.c:{_LINES['xmalloc']}"
        address = self.answer("explain", f"--pid={pid}", hex(site["address"]))
        self.assertRegex(address, rf"\+{site['offset']:#x}: {wanted}, {outer}\n\Z")
        (self.folder / "report").write_text(
            f"hakmem: leaks: 48 bytes in 1 block from {site['address']:#x}: {site['module']}+{site['offset']:#x}\n"
        )
        self.assertRegex(self.answer("explain", "report"), rf"\Ahakmem: .*\n    {wanted}\n    {outer}\n\Z")


class ProfileFileTest(PathsCase):
    """Of a running program, and what the library writes at exit."""

    def names(self, path: Path) -> dict[int, list[str]]:
        """By size of block, where the profile has functions itself."""
        profile = parse(path)
        functions = {one.id: texts(profile)[one.name] for one in profile.function}
        lines = {one.id: [functions[line.function_id] for line in one.line] for one in profile.location}
        return {
            sample.label[0].num: [name for number in sample.location_id for name in lines[number]]
            for sample in profile.sample
        }

    def test_with_symbols_it_needs_no_other_file(self) -> None:
        pid = self.start_planted(HAKMEM_LEAKS="1")
        self.answer("profile", "--symbols", "-o", "now.pb.gz", str(pid))
        paths = [path for path in self.names(self.folder / "now.pb.gz").values() if path[:1] == ["checked"]]
        self.assertEqual(len(paths), len(_LEAKS))
        for leak in _LEAKS.values():
            self.assertTrue(any(tuple(path[: 2 + len(leak)]) == ("checked", "xmalloc", *leak) for path in paths), leak)

    def test_mappings_have_build_ids(self) -> None:
        pid = self.start_planted(HAKMEM_LEAKS="1")
        self.answer("profile", "-o", "now.pb.gz", str(pid))
        profile = parse(self.folder / "now.pb.gz")
        ids = {texts(profile)[one.filename]: texts(profile)[one.build_id] for one in profile.mapping}
        for path in (one for one in ids if Path(one).name.startswith("libc.so")):
            notes = subprocess.run(["readelf", "--notes", path], capture_output=True, text=True, check=True).stdout
            self.assertIn(f"Build ID: {ids[path]}\n", notes)

    @unittest.skipUnless(shutil.which("google-pprof"), "this distribution has no google-pprof; jeprof lists no stacks")
    def test_google_pprof_has_the_same_paths(self) -> None:
        pid = self.start_planted(HAKMEM_LEAKS="1")
        self.answer("profile", "-o", "now.heap", str(pid))
        done = subprocess.run(
            ["google-pprof", "--stacks", "--inuse_objects", str(_PROGRAM), str(self.folder / "now.heap")],
            capture_output=True,
            text=True,
            check=True,
        )
        for function in ("parse_header", "handle_request", "descend", "compare", "sort_two", "run_thread", "main"):
            self.assertRegex(done.stdout, rf"planted\.c:\d+:{function}\b")
        self.assertIn(f"planted.c:{_LINES['cache_put']}:cache_put", done.stdout)


class ViewsTest(PathsCase):
    def test_views_of_a_running_program(self) -> None:
        pid = str(self.start_planted(HAKMEM_LEAKS="1"))
        top = {one["name"]: one for one in json.loads(self.answer("profile", "--view=top", "--format=json", pid))}
        self.assertEqual(top["xmalloc"]["own"], 0)
        self.assertGreaterEqual(top["checked"]["own"], _BLOCKS * sum(_LEAKS))
        self.assertEqual(top["xmalloc"]["value"], top["checked"]["value"])
        folded = self.answer("profile", "--view=folded", "--value=inuse_objects", pid)
        self.assertRegex(folded, rf"(?m);main;handle_request;parse_body;xmalloc;checked {_BLOCKS}$")
        self.assertRegex(
            self.answer("profile", "--view=tree", pid), r"(?m)^ +handle_request +[0-9.]+ KiB +[0-9.]+ %\s*$"
        )
        said = self.answer("profile", "--view=flame", pid)
        self.assertEqual(said, f"{self.folder}/hakmem.{pid}.html\n")
        self.assertIn('"cache_put"', (self.folder / f"hakmem.{pid}.html").read_text(encoding="utf-8"))

    def test_options_that_do_not_go_together(self) -> None:
        for line, words in (
            (("--value=inuse_space",), "--value, --by and --base are of a view"),
            (("--most=3", "--view=tree"), "--most is of --view=top"),
            (("--view=flame", "--format=json"), "has a format of its own"),
            (("--symbols", "--view=top"), "--symbols is of a profile for pprof"),
            (("--symbols", "-o", "a.heap"), "--symbols is of a profile for pprof"),
            (("--seconds=1", "-o", "a.heap"), "--seconds is of a profile for pprof"),
            (("--seconds=0",), "whole number from 1"),
            (("--view=cake",), "invalid choice: 'cake'"),
        ):
            done = self.hakmem("profile", *line, "1")
            self.assertEqual((done.returncode, done.stdout), (2, ""), line)
            self.assertIn(words, done.stderr)


if __name__ == "__main__":
    unittest.main()
