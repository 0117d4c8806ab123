# SPDX-License-Identifier: MIT
"""tools/setup: what it says, and what it asks of a package manager, which here only notes that it was called."""

from __future__ import annotations

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

SETUP = Path("tools/setup")

# What is this machine's own, and stands in the scratch folder here.
_PLACES = {"/usr/sbin/policy-rc.d": "policy-rc.d", "/etc/systemd/system": "units"}

# What the script needs besides what stands below.
_TOOLS = "bash cat comm cut env find grep head ln mktemp rm sed sort tee tr".split()

# Each notes its arguments. Nothing is installed, and sudo runs nothing but apt-get.
_FAKES = {
    "id": "echo 1000",
    "dpkg": "echo amd64",
    "dpkg-query": 'echo "$INSTALLED"',
    "apt-cache": "echo '  Depends: python3.99'",
    "sleep": 'echo "sleep" >>"$LOG"',
    "sudo": 'echo "sudo $*" >>"$LOG"; case "$*" in *apt-get*) exec "$@";; esac; cat >/dev/null',
    "apt-get": """
echo "apt-get $*" >>"$LOG"
if [ "$FAIL" = lock ] && [ "$(grep -c '^apt-get.* update' "$LOG")" -le 2 ]; then
    echo 'E: Could not get lock /var/lib/apt/lists/lock' >&2; exit 100
fi
case "$*" in *install*) ln -s /dev/null "$UNITS/multi-user.target.wants/nginx.service" ;; esac
case "$FAIL $*" in
"update "*update) echo 'E: no network' >&2; exit 100 ;;
"install "*install*) echo 'E: no space' >&2; exit 100 ;;
esac""",
}


class Setup(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(scratch.cleanup)
        self.scratch = Path(scratch.name)
        self.log = self.scratch / "log"
        self.log.touch()
        self.units = self.scratch / "units"
        (self.units / "multi-user.target.wants").mkdir(parents=True)
        (self.units / "multi-user.target.wants/cron.service").symlink_to("/dev/null")
        text = SETUP.read_text(encoding="utf-8")
        for place, name in _PLACES.items():
            self.assertEqual(text.count(place), 1)
            text = text.replace(place, str(self.scratch / name))
        self.setup = self.scratch / "setup"
        self.setup.write_text(text, encoding="utf-8")
        for name, text in _FAKES.items():
            self.fake(name, text)
        for name in _TOOLS:
            found = [folder for folder in ("/usr/bin", "/bin") if Path(folder, name).exists()]
            (self.scratch / name).symlink_to(Path(found[0], name))

    def fake(self, name: str, text: str) -> None:
        path = self.scratch / name
        path.write_text(f"#!/bin/bash\n{text}\n", encoding="ascii")
        path.chmod(0o755)

    def run_setup(self, *arguments: str, status: int = 0, fail: str = "", installed: str = "") -> tuple[str, str]:
        environment = {"PATH": str(self.scratch), "LOG": str(self.log), "UNITS": str(self.units)}
        environment |= {"FAIL": fail, "INSTALLED": installed}
        done = subprocess.run(
            ["/bin/bash", self.setup, *arguments], env=environment, capture_output=True, text=True, check=False
        )
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout, done.stderr

    def asked(self, word: str) -> list[str]:
        return [line for line in self.log.read_text(encoding="ascii").splitlines() if word in line]

    def test_help_begins_with_what_it_does(self) -> None:
        said, _ = self.run_setup("--help")
        self.assertTrue(said.startswith("Installs what hakmem needs:"), said)
        self.assertIn("--check", said)

    def test_list_names_each_package_once_and_what_it_is_for(self) -> None:
        base, _ = self.run_setup("--list")
        all_of_it, _ = self.run_setup("--list", "--tests")
        self.assertTrue(all_of_it.startswith(base))
        names = [line.split(" | ")[0] for line in all_of_it.splitlines()]
        self.assertEqual(len(set(names)), len(names))
        self.assertIn("libpython3.99-testsuite", names)

    def test_check_says_what_is_missing_and_installs_nothing(self) -> None:
        there = ["ii |amd64|,gcc, c-compiler", "ii |amd64|,other, bazel-skylib (= 1), python3-rich"]
        away = ["ii |i386|,libmimalloc-dev, ", "rc |amd64|,python3-jinja2, ", "ii |amd64|,binutils-common, "]
        _, said = self.run_setup("--check", status=1, installed="\n".join(there + away))
        for name in ("g++", "libmimalloc-dev", "python3-jinja2", "binutils"):
            self.assertIn(f"\n{name} |", said)
        for name in ("gcc", "bazel-skylib", "python3-rich"):
            self.assertNotIn(f"\n{name} |", said)
        self.assertEqual(self.asked("apt-get"), [])

    def test_installs_what_is_missing_and_says_so(self) -> None:
        _, said = self.run_setup(installed="ii |amd64|,gcc, ")
        (command,) = self.asked("sudo env DEBIAN_FRONTEND=noninteractive apt-get")
        self.assertIn(" g++ ", command)
        self.assertNotIn(" gcc ", command)
        self.assertNotIn(" nginx", command)
        self.assertLess(said.index("reads the lists"), said.index("installs "))
        self.assertTrue(said.endswith("tools/setup: done\n"), said)

    def test_leaves_out_what_the_distribution_has_not(self) -> None:
        self.fake("apt-cache", '[ "$*" != "show google-perftools" ] && [ "$*" != "show gcc" ] || exit 100')
        self.assertIn("\ngoogle-perftools |", self.run_setup("--tests", "--check", status=1)[1])  # without any lists
        self.fake("apt-cache", '[ "$*" != "show google-perftools" ] && [ "$*" != "show git" ] || exit 100')
        self.assertNotIn("\ngoogle-perftools |", self.run_setup("--tests", "--check", status=1)[1])
        # Known only when the lists have been read.
        self.fake("apt-cache", 'case "$*" in "show gcc") ;; show*) exit 100 ;; esac; grep -q update "$LOG"')
        _, said = self.run_setup("--tests")
        self.assertIn("tools/setup: leaves out google-perftools: this distribution has none\n", said)
        (command,) = self.asked("sudo env DEBIAN_FRONTEND=noninteractive apt-get")
        self.assertNotIn(" google-perftools", command)
        self.assertIn(" git ", command)

    def test_removes_nothing(self) -> None:
        there = "ii |amd64|,gcc-multilib, linux-compiler"
        _, said = self.run_setup("--tests", installed=there)
        (command,) = self.asked("sudo env DEBIAN_FRONTEND=noninteractive apt-get")
        self.assertIn(" --no-remove ", command)
        for name in ("gcc-aarch64-linux-gnu", "g++-riscv64-linux-gnu"):
            self.assertIn(f"leaves out {name}: it excludes gcc-multilib, which is installed\n", said)
            self.assertNotIn(name, command)
        self.assertIn("\ngcc-aarch64-linux-gnu |", self.run_setup("--tests", "--check", status=1)[1])

    def test_services_neither_start_nor_are_enabled(self) -> None:
        self.run_setup("--tests")
        log = self.log.read_text(encoding="ascii").splitlines()
        policy = self.scratch / "policy-rc.d"
        created, removed = (log.index(f"sudo {what} {policy}") for what in ("tee", "rm -f"))
        (installs,) = (log.index(line) for line in log if line.startswith("apt-get") and " install " in line)
        self.assertLess(created, installs)
        self.assertLess(installs, removed)
        self.assertEqual(
            self.asked("deb-systemd-helper"),
            ["sudo env DPKG_MAINTSCRIPT_PACKAGE=hakmem deb-systemd-helper disable nginx.service"],
        )

    def test_a_policy_of_the_administrator_stays(self) -> None:
        (self.scratch / "policy-rc.d").touch()
        self.run_setup("--tests")
        self.assertEqual(self.asked("policy-rc.d"), [])

    def test_waits_for_the_lock_of_the_lists(self) -> None:
        _, said = self.run_setup(fail="lock")
        self.assertEqual(len(self.asked("apt-get -q update")), 2 * 3)  # noted by sudo and by apt-get
        self.assertEqual(said.count("waits for the other package manager"), 2)
        self.assertEqual(len(self.asked("sleep")), 2)

    def test_an_error_of_apt_get_is_seen(self) -> None:
        for fail, words in (("update", "E: no network"), ("install", "E: no space")):
            with self.subTest(fail):
                _, said = self.run_setup(status=1, fail=fail)
                self.assertIn(words, said)
                self.assertIn("tools/setup: apt-get ", said)

    def test_neither_root_nor_sudo(self) -> None:
        (self.scratch / "sudo").unlink()
        _, said = self.run_setup(status=1)
        self.assertIn("tools/setup: installing packages needs root: run it as root, or install sudo\n", said)

    def test_wrong_arguments(self) -> None:
        for arguments in (["--test"], ["--list", "--check"]):
            with self.subTest(arguments):
                _, said = self.run_setup(*arguments, status=2)
                self.assertIn("usage: tools/setup ", said)


if __name__ == "__main__":
    unittest.main()
