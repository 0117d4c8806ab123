# SPDX-License-Identifier: MIT
"""A workspace that names this one, as a repository or as a module, builds and runs the programs of docs/use-from-bazel.md.

The files of the workspace are the blocks of that page, as they stand there. There is no network: a download would fail. Modules
need Bazel 7, which the distribution has to have; the other way works with either.
"""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import tempfile
import unittest
from pathlib import Path

from tests.build.nested_bazel import NestedBazel, checkout, clone, main
from tests.build.reference_worker import move_into_own_network

# `NAME`: and, indented, what the file holds.
_FILE = re.compile(r"^`(?P<name>[\w.]+)`:\n\n(?P<text>(?:    .*\n|\n)+)", re.MULTILINE)
_PLACE = "/path/to/hakmem"
_FILES = {"WORKSPACE", "MODULE.bazel", ".bazelrc", "BUILD", "calls.c", "drop_in.cc"}
_FIRST_WITH_MODULES = 7
_LAST_WITH_WORKSPACE = 7
# Debian's linux-sandbox prints its log for each command; the page names this as the way out.
_QUIET = "--spawn_strategy=processwrapper-sandbox,local"


def files_of(page: str) -> dict[str, str]:
    return {found["name"]: re.sub("^    ", "", found["text"], flags=re.MULTILINE) for found in _FILE.finditer(page)}


# Debian's rule sets and what belongs to Bazel itself. Its system-wide bazelrc puts the first in the place of modules.
_INSTALLED = Path("/usr/share/bazel")
_DEPENDENCY = re.compile(r'^bazel_dep\(\s*name = "(?P<name>[\w.]+)",\s*version = "(?P<version>[\w.]+)"', re.MULTILINE)


def major_version() -> int:
    """Debian's Bazel 4.2.3 does not know its own: it says "no_version"."""
    said = subprocess.run(["bazel", "--version"], cwd="/", stdout=subprocess.PIPE, text=True, check=True).stdout
    found = re.fullmatch(r"bazel (?:(\d+)\.\S*|no_version)", said.strip())
    if found is None:
        raise ValueError(f"bazel --version says {said!r}")
    return int(found[1] or 4)


def make_registry(folder: Path) -> str:
    """The URL of a registry with an empty module for each that Bazel's own modules name.

    Bazel asks for all of them before it knows that it needs few. Those that it does need are Debian's.
    """
    empty = folder / "empty"
    empty.mkdir(parents=True)
    (folder / "bazel_registry.json").write_text("{}", encoding="ascii")
    source = json.dumps({"type": "local_path", "path": str(empty)})
    for file in _INSTALLED.rglob("MODULE.bazel"):
        for found in _DEPENDENCY.finditer(file.read_text(encoding="utf-8")):
            module = folder / "modules" / found["name"] / found["version"]
            module.mkdir(parents=True, exist_ok=True)
            (module / "source.json").write_text(source, encoding="utf-8")
            text = 'module(name = "{name}", version = "{version}")\n'.format(**found.groupdict())
            (module / "MODULE.bazel").write_text(text, encoding="ascii")
    return folder.as_uri()


class Consumer(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(scratch.cleanup)
        self.scratch = Path(scratch.name)
        self.workspace = self.scratch / "consumer"
        self.workspace.mkdir()
        page = (checkout() / "docs/use-from-bazel.md").read_text(encoding="utf-8")
        self.assertIn(_QUIET, page)
        self.assertIn(_PLACE, page)
        files = files_of(page)
        self.assertEqual(files.keys(), _FILES)
        hakmem = clone(checkout(), self.scratch / "hakmem")
        for name, text in files.items():
            (self.workspace / name).write_text(text.replace(_PLACE, str(hakmem)), encoding="utf-8")

    def said_by(self, program: str) -> str:
        path = self.workspace / "bazel-bin" / program
        nothing: dict[str, str] = {}
        return subprocess.run([path], env=nothing, stdout=subprocess.PIPE, text=True, check=True).stdout

    def build_and_run(self, *options: str) -> None:
        environment = {"HOME": str(self.scratch), "USER": "consumer"}
        options = (_QUIET, *options)
        with NestedBazel(self.workspace, self.scratch / "outputs", environment) as bazel:
            bazel.check("build", *options, "//:calls", "//:drop_in")
            self.assertRegex(self.said_by("calls"), r"^a block of \d+ bytes from hakmem\n$")
            self.assertRegex(self.said_by("drop_in"), r"^a block of \d+ bytes from hakmem, p0\+p1\+p2\+p3\n$")
            # Flags by the names that they have in that workspace.
            bazel.check("build", *options, "--nobuild", "--@hakmem//hakmem/flags:guard=exact", "//:calls")

    def test_the_module_has_the_version_of_the_packages(self) -> None:
        version = runpy.run_path(str(checkout() / "tools/dist/version.bzl"))["HAKMEM_VERSION"]
        own = (checkout() / "MODULE.bazel").read_text(encoding="utf-8")
        self.assertEqual(re.findall(r'name = "hakmem",\n    version = "(.+?)"', own), [version])
        documented = (self.workspace / "MODULE.bazel").read_text(encoding="utf-8")
        self.assertEqual(re.findall(r'name = "hakmem", version = "(.+?)"', documented), [version])

    def test_the_documented_workspace_builds_and_its_programs_are_served(self) -> None:
        version = major_version()
        if version > _LAST_WITH_WORKSPACE:
            self.skipTest(f"Bazel {version} reads no WORKSPACE")
        (self.workspace / "MODULE.bazel").unlink()
        self.build_and_run(*(["--noenable_bzlmod"] if version >= _FIRST_WITH_MODULES else []))

    def test_the_documented_module_builds_and_its_programs_are_served(self) -> None:
        version = major_version()
        if version < _FIRST_WITH_MODULES:
            self.skipTest(f"Bazel {version} knows no modules")
        (self.workspace / "WORKSPACE").unlink()
        registry = make_registry(self.scratch / "registry")
        self.build_and_run("--noenable_workspace", f"--registry={registry}")


if __name__ == "__main__":
    move_into_own_network()
    main()
