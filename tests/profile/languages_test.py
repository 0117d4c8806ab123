# SPDX-License-Identifier: MIT
"""Leaks of programs in Rust, and of C code in one of Go, by Debian's compilers: each is named, with its line."""

from __future__ import annotations

import re
import subprocess
import unittest
from pathlib import Path
from typing import Any

from tests.profile.case import SECONDS
from tests.profile.running import RunningCase

_RUST = Path("tests/profile/planted.rs").absolute()
_GO = Path("tests/profile/planted.go").absolute()

# Function -> blocks, and bytes asked for.
_LEAKS = {
    "remember": (8, 700 * 72),  # a vector a key, and the table
    "draw": (1, 5432),
    "forgotten": (1, 3210),
    "in_a_closure": (3, 3 * 1900),
}

_LINES = {
    (source.name, found[1]): number
    for source in (_RUST, _GO)
    for number, line in enumerate(source.read_text(encoding="utf-8").splitlines(), 1)
    if (found := re.search(r"// line: (\w+)$", line))
}

_MANGLED = re.compile(r"\b_R[A-Z]|\b_ZN|::h[0-9a-f]{16}\b")


def _frames(site: dict[str, Any]) -> list[dict[str, Any]]:
    return [site, *site["callers"]]


class LanguagesCase(RunningCase):
    def compile(self, *line: str | Path) -> Path:
        """What the compiler wrote to program."""
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder)}
        done = subprocess.run(
            line,
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout)
        return self.folder / "program"


class RustTest(LanguagesCase):
    def start_rust(self, *options: str) -> str:
        program = self.compile("/usr/bin/rustc", "-O", *options, "-o", "program", _RUST)
        return str(self.start_waiting(program, HAKMEM_LEAKS="1"))

    def check_leaks(self, pid: str, has_lines: bool) -> None:
        paths = [_frames(site) for site in self.sites(int(pid), "--depth=100", "--most=1000")]
        for function, (blocks, size) in _LEAKS.items():
            found = [
                (path[0], one)
                for path in paths
                for one in path
                if re.fullmatch(rf".*\b{function}(::<.*>)?", one["function"] or "")
            ]
            self.assertEqual(sum(call["blocks"] for call, _ in found), blocks, function)
            self.assertGreaterEqual(sum(call["bytes"] for call, _ in found), size, function)
            for _, one in found if has_lines else []:
                self.assertEqual(Path(one["file"]).name, _RUST.name)
                if function != "in_a_closure":  # its own line is that of the call which was inlined
                    self.assertEqual(one["line"], _LINES[_RUST.name, function])
        self.assertNotRegex(" ".join(one["function"] or "" for path in paths for one in path), _MANGLED)

    def check_table(self, pid: str) -> None:
        """What the compiler brings takes no rows from the program's own functions."""
        table = self.answer("leaks", pid)
        for function in ("remember", "draw", "forgotten"):
            row = rf"^  \S.*\b{function} +planted\.rs:{_LINES[_RUST.name, function]} *\n"
            self.assertRegex(table, rf"(?m){row}(  .*\n)*  planted::main\b")

    def test_with_lines(self) -> None:
        pid = self.start_rust("-g")
        self.check_leaks(pid, has_lines=True)
        self.check_table(pid)

    def test_with_names_of_the_newer_form(self) -> None:
        pid = self.start_rust("-g", "-Csymbol-mangling-version=v0")
        self.check_leaks(pid, has_lines=True)
        self.check_table(pid)

    def test_by_the_table_of_symbols_alone(self) -> None:
        self.check_leaks(self.start_rust(), has_lines=False)


class GoTest(LanguagesCase):
    def test_the_path_ends_where_go_changes_the_stack(self) -> None:
        (self.folder / "go.mod").write_text("module planted\n\ngo 1.19\n")
        (self.folder / "planted.go").write_bytes(_GO.read_bytes())
        program = self.compile("/usr/bin/go", "build", "-o", "program", ".")
        pid = self.start_waiting(program, HAKMEM_LEAKS="1")
        found = {site["function"]: site for site in self.sites(pid, "--depth=100")}
        leak = found["leak_in_c"]
        self.assertEqual((leak["open"], leak["cut"]), (True, False))
        self.assertRegex(
            self.answer("leaks", str(pid)), r"(?m)^  runtime\.asmcgocall.*\n  \(callers that are not known\) *$"
        )
        self.assertEqual((leak["blocks"], Path(leak["file"]).name), (30, _GO.name))
        self.assertEqual(leak["line"], _LINES[_GO.name, "leak_in_c"])
        self.assertGreaterEqual(leak["bytes"], 30 * 2100)
        names = [one["function"] for one in leak["callers"]]
        self.assertRegex(names[0], r"^_cgo_[0-9a-f]+_Cfunc_leak_in_c$")
        self.assertRegex(names[-1], r"^runtime\.asmcgocall")


if __name__ == "__main__":
    unittest.main()
