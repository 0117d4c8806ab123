# SPDX-License-Identifier: MIT
"""The command hakmem as the packages install it: below a prefix that nobody knew of, and in the Debian package."""

import ast
import gzip
import json
import os
import re
import subprocess
import sys
import time
import unittest
from pathlib import Path

# Run as a plain script, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.dist import consumer  # noqa: E402

ARCHIVE, PACKAGE = sys.argv[1:3]

_SECONDS = 600
_COMMANDS = ("run", "stat", "top", "profile", "leaks", "snapshot", "explain", "record", "replay", "trace")


def foreign_modules(folder: Path) -> set[str]:
    """What the modules below the folder import that is neither theirs nor Python's."""
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {one.name for one in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(str(node.module))
    return {name.partition(".")[0] for name in found} - sys.stdlib_module_names - {"tools"}


def packages_of(launcher: Path) -> dict[str, str]:
    """The launcher's table: name of a module -> the package that it tells to install."""
    for node in ast.parse(launcher.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_PACKAGES":
            return dict(ast.literal_eval(node.value))
    raise AssertionError("the launcher has no _PACKAGES")


class InstalledCase(unittest.TestCase):
    """What holds of either package."""

    folder: Path
    command: Path
    program: Path
    prefix: Path
    """Without a blank: the loader takes none."""

    @staticmethod
    def installed(folder: Path) -> Path:
        """The prefix, below the folder."""
        raise NotImplementedError

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = consumer.scratch_folder()
        cls.prefix = cls.installed(cls.folder)
        cls.command = cls.prefix / "bin/hakmem"
        source = Path("tests/dist/misused.c").absolute()
        cls.program = consumer.compiled(source, "gcc", ["-g", "-fno-builtin"], cls.folder / "misused", "c")

    def hakmem(self, *words: object, **environment: str) -> subprocess.CompletedProcess[str]:
        # Another build's modules and another folder must not matter.
        return subprocess.run(
            [self.command, *map(str, words)],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            env={"PATH": "/usr/bin:/bin", **environment},
        )

    def succeed(self, *words: object) -> subprocess.CompletedProcess[str]:
        done = self.hakmem(*words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def start(self, *words: object) -> int:
        """A program that has said that it is ready."""
        process = subprocess.Popen(
            [self.command, *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.addCleanup(process.communicate)
        assert process.stdout is not None
        return int(process.stdout.readline().removeprefix("ready "))

    def test_help(self) -> None:
        said = self.succeed("--help").stdout
        for name in _COMMANDS:
            self.assertIn(f"    {name} ", said)
            self.assertIn("Exit status: ", self.succeed(name, "--help").stdout)

    def test_version(self) -> None:
        version = consumer.pkg_config(next(self.prefix.rglob("pkgconfig")), "--modversion")[0]
        self.assertEqual(self.succeed("--version").stdout, f"hakmem {version}\n")

    def test_wrong_command(self) -> None:
        done = self.hakmem("fly")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("invalid choice: 'fly'", done.stderr)

    def test_run(self) -> None:
        self.assertRegex(self.succeed("run", "--", "true").stderr, r"(?m)^hakmem: true \(\d+\): [0-9,]+ allocations, ")
        said = self.succeed("run", "--stats=json", "--", "sort", "/dev/null").stderr
        self.assertGreater(json.loads(said)["pools"]["tiny"]["allocations"], 0)

    def test_run_with_guard(self) -> None:
        for option, library, misuse, words in (
            ("--guard", "libhakmem-guard.so", "twice", "double free"),
            ("--guard-full", "libhakmem-guard-full.so", "over", "overflow"),
        ):
            with self.subTest(option):
                # The libraries are the installed ones, whoever else has some.
                said = self.succeed("run", "--quiet", option, "--", "cat", "/proc/self/maps").stdout
                mapped = set(re.findall(r"(/\S*libhakmem\S*)", said))
                self.assertEqual([Path(path).name for path in mapped], [library])
                self.assertEqual([Path(path).is_relative_to(self.prefix.resolve()) for path in mapped], [True])
                done = self.hakmem("run", option, "--", self.program, misuse)
                self.assertEqual(done.returncode, 128 + 6, done.stderr)
                self.assertRegex(done.stderr, rf"(?m)^hakmem: free\(0x\w+\): {words}: ")
        # What only the full build looks for.
        self.assertEqual(self.hakmem("run", "--guard", "--", self.program, "over").returncode, 0)

    def test_stat(self) -> None:
        pid = self.start("run", "--publish", "--", self.program, "wait")
        deadline = time.monotonic() + _SECONDS
        while (done := self.hakmem("stat", "--format=json", pid)).returncode == 6:
            self.assertLess(time.monotonic(), deadline)
        self.assertEqual((done.returncode, json.loads(done.stdout)["pid"]), (0, pid), done.stderr)
        self.assertIn(f"misused ({pid}), hakmem", self.succeed("stat", pid).stdout)
        self.assertIn(f"misused ({pid}), hakmem", self.succeed("top", "--count=1", pid).stdout)
        self.assertEqual(self.hakmem("stat", os.getpid()).returncode, 5)

    def test_profile_and_leaks(self) -> None:
        pid = self.start("run", "--leaks", "--", self.program, "wait")
        self.assertRegex(self.succeed("leaks", pid).stdout, r"(?m)^keep +misused\.c:\d+ +1 +64 B +64 B$")
        output = self.folder / "now.pb.gz"
        self.succeed("profile", pid, "-o", output)
        self.assertEqual(output.read_bytes()[:2], b"\x1f\x8b")

    def test_explain(self) -> None:
        report = self.folder / "report"
        report.write_text(self.hakmem("run", "--guard", "--", self.program, "twice").stderr)
        self.assertRegex(self.succeed("explain", report).stdout, r"(?m)^    release at .*misused\.c:\d+$")

    def test_record_and_replay(self) -> None:
        trace = self.folder / "a.trace"
        self.succeed("record", "--quiet", f"--output={trace}", "--", "sort", "/etc/passwd")
        self.assertGreater(json.loads(self.succeed("trace", "info", "--format=json", trace).stdout)["allocations"], 0)
        found = json.loads(self.succeed("replay", "--rounds=1", "--format=json", trace).stdout)
        self.assertEqual([one["name"] for one in found["contenders"]], ["hakmem", "glibc"])
        # As many rounds as an interval needs.
        found = json.loads(self.succeed("replay", "--format=json", trace).stdout)
        self.assertLessEqual(found["contenders"][1]["ci95_low"], found["contenders"][1]["ratio"])

    def test_nothing_is_written_below_the_prefix(self) -> None:
        before = {path for path in self.prefix.rglob("*")}
        self.succeed("run", "--", "true")
        self.assertEqual({path for path in self.prefix.rglob("*")}, before)

    def test_what_python_lacks_is_named(self) -> None:
        report = self.folder / "report"
        report.write_text(f"hakmem: free(0x1): double free\nhakmem:   called from 0x1: {sys.executable}+0x1\n")
        profile = self.folder / "some.pb.gz"
        profile.write_bytes(gzip.compress(b"x"))
        for line, module in (
            (("explain", str(report)), "elftools"),
            (("profile", "--view=top", str(profile)), "google"),
        ):
            # -S: without the folders of Debian's packages.
            done = subprocess.run(
                [sys.executable, "-S", self.command, *line],
                capture_output=True,
                text=True,
                check=False,
                env={"PATH": "/usr/bin:/bin"},
            )
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertRegex(done.stderr, rf"\Ahakmem: Python's module {module}\S* is missing: install python3-\w+\n\Z")

    def test_the_launcher_knows_the_package_of_each_module(self) -> None:
        packages = packages_of(self.command)
        self.assertEqual(foreign_modules(self.prefix / "share/hakmem"), set(packages))

    def test_replay_without_numpy_ends_before_it_measures(self) -> None:
        trace = self.folder / "early.trace"
        self.succeed("record", "--quiet", f"--output={trace}", "--", "sort", "/etc/passwd")
        hidden = self.folder / "hidden/sitecustomize.py"
        hidden.parent.mkdir(exist_ok=True)
        hidden.write_text("import sys\nsys.modules['numpy'] = None\n")
        done = self.hakmem("replay", trace, PYTHONPATH=str(hidden.parent))
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(done.stderr, "hakmem: Python's module numpy is missing: install python3-numpy\n")
        self.assertEqual(self.hakmem("replay", "--rounds=2", trace, PYTHONPATH=str(hidden.parent)).returncode, 0)


class TarballTest(InstalledCase):
    @staticmethod
    def installed(folder: Path) -> Path:
        prefix = folder / "prefix"
        prefix.mkdir()
        consumer.run("tar", "--extract", "--no-same-owner", "--file", ARCHIVE, "--directory", prefix)
        return prefix

    def test_through_a_link(self) -> None:
        link = self.folder / "linked"
        link.symlink_to(self.command)
        self.assertEqual(subprocess.run([link, "run", "--", "true"], capture_output=True, check=False).returncode, 0)

    def test_a_prefix_that_the_loader_cannot_take(self) -> None:
        command = consumer.unpacked(ARCHIVE) / "bin/hakmem"
        done = subprocess.run([command, "run", "--", "true"], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (125, ""))
        self.assertIn("the loader takes no path with a colon or blank", done.stderr)
        self.assertEqual(subprocess.run([command, "run", "--help"], capture_output=True, check=False).returncode, 0)


class DebTest(InstalledCase):
    @staticmethod
    def installed(folder: Path) -> Path:
        consumer.run("dpkg-deb", "--extract", PACKAGE, folder / "root")
        return folder / "root/usr"

    def test_what_is_imported_is_asked_for(self) -> None:
        packages = packages_of(self.command)
        asked = consumer.run("dpkg-deb", "--field", PACKAGE, "Depends", "Recommends")
        self.assertLessEqual(set(packages.values()), set(re.findall(r"[\w-]+", asked)))

    def test_dependencies_are_installed_where_this_runs(self) -> None:
        needed = consumer.run("dpkg-deb", "--field", PACKAGE, "Depends")
        for package in re.findall(r"([a-z0-9.+-]+)(?: \([^)]*\))?(?:, |\n)", needed):
            self.assertIn("ok installed", consumer.run("dpkg-query", "--show", "--showformat=${Status}", package))


del InstalledCase  # or its tests would run without a package


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
