# SPDX-License-Identifier: MIT
"""tools/setup: what it says, and what it asks of a package manager, which here only notes that it was called."""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

SETUP = Path("tools/setup")

# What is this machine's own, and stands in the scratch folder here.
_PLACES = {"/usr/sbin/policy-rc.d": "policy-rc.d", "/etc/systemd/system": "units", "/var/lib/dpkg": "database"}

# What the script needs besides what stands below.
_TOOLS = "bash cat chmod comm cut env find flock grep head ln mktemp rm sed sort tee tr".split()

_INSTALLS = "sudo env LANGUAGE=C DEBIAN_FRONTEND=noninteractive apt-get"
_DISABLES = "sudo env DPKG_MAINTSCRIPT_PACKAGE=hakmem deb-systemd-helper disable nginx.service"

# Each notes its arguments. Nothing is installed, and sudo runs nothing but apt-get and rm. Where FAIL is "busy",
# another package manager has dpkg's lock first, and brings a service.
_FAKES = {
    "id": "echo 1000",
    "dpkg": "echo amd64",
    "dpkg-query": 'echo "$INSTALLED"',
    "apt-cache": "echo '  Depends: python3.99'",
    "sleep": 'echo "sleep" >>"$LOG"',
    "sudo": 'echo "sudo $*" >>"$LOG"; case "$*" in *apt-get*|"rm "*) exec "$@";; esac',
    "apt-get": """
echo "apt-get $*" >>"$LOG"
! { true <&9; } 2>/dev/null || echo "apt-get has the lock of tools/setup" >>"$LOG"
policy() { [ ! -e "$UNITS/../policy-rc.d" ] || echo "policy $1" >>"$LOG"; }
for step in update install; do
    if [ "$FAIL" = "lock of $step" ] && [[ "$*" = *$step* ]] && [ "$(grep -c "^apt-get.* $step" "$LOG")" -le 2 ]; then
        echo "E: Could not get lock /a/lock. It is held by process 1 (apt-get)" >&2; exit 100
    fi
done
if [[ "$*" = *install* ]]; then
    policy "while it waits"
    [ "$FAIL" != busy ] || ln -s /dev/null "$UNITS/multi-user.target.wants/others.service"
    for word; do
        case "$word" in DPkg::Pre-Invoke::=*) before=${word#*::=} ;; esac
    done
    bash -c "$before" || exit 100
    policy "while it installs"
    ln -s /dev/null "$UNITS/multi-user.target.wants/nginx.service"
    bash -c "$before" || exit 100 # it begins anew for another medium
fi
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
        (self.scratch / "database").mkdir()
        self.policy = self.scratch / "policy-rc.d"
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
        path.unlink(missing_ok=True)  # a link leads to the machine's own
        path.write_text(f"#!/bin/bash\n{text}\n", encoding="ascii")
        path.chmod(0o755)

    def environment(self, fail: str = "", installed: str = "", **more: str) -> dict[str, str]:
        here = str(self.scratch)
        places = {"PATH": here, "TMPDIR": here, "LOG": str(self.log), "UNITS": str(self.units)}
        return {**places, "FAIL": fail, "INSTALLED": installed, **more}

    def hold(self) -> int:
        """Another tools/setup's lock, as a descriptor."""
        held = os.open(self.scratch / "database", os.O_RDONLY)
        self.addCleanup(os.close, held)
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return held

    def run_setup(self, *arguments: str, status: int = 0, **environment: str) -> tuple[str, str]:
        done = subprocess.run(
            ["/bin/bash", self.setup, *arguments],
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual(list(self.scratch.glob("tmp.*")), [])
        self.assertEqual(self.asked("apt-get has the lock"), [])
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
        (command,) = self.asked(_INSTALLS)
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
        (command,) = self.asked(_INSTALLS)
        self.assertNotIn(" google-perftools", command)
        self.assertIn(" git ", command)

    def test_removes_nothing(self) -> None:
        there = "ii |amd64|,gcc-multilib, linux-compiler"
        _, said = self.run_setup("--tests", installed=there)
        (command,) = self.asked(_INSTALLS)
        self.assertIn(" --no-remove ", command)
        for name in ("gcc-aarch64-linux-gnu", "g++-riscv64-linux-gnu"):
            self.assertIn(f"leaves out {name}: it excludes gcc-multilib, which is installed\n", said)
            self.assertNotIn(name, command)
        self.assertIn("\ngcc-aarch64-linux-gnu |", self.run_setup("--tests", "--check", status=1)[1])

    def test_services_neither_start_nor_are_enabled(self) -> None:
        self.run_setup("--tests")
        self.assertEqual(self.asked("policy while"), ["policy while it installs"])
        self.assertFalse(self.policy.exists())
        self.assertEqual(self.asked("deb-systemd-helper"), [_DISABLES])

    def test_so_where_the_installation_fails(self) -> None:
        self.run_setup(fail="install", status=1)
        self.assertFalse(self.policy.exists())
        self.assertEqual(self.asked("deb-systemd-helper"), [_DISABLES])

    def test_a_policy_of_the_administrator_stays(self) -> None:
        self.policy.touch()
        self.run_setup("--tests")
        self.assertEqual(self.asked("policy-rc.d"), [])
        self.assertEqual(self.policy.read_bytes(), b"")

    def test_a_policy_that_a_killed_one_left_goes(self) -> None:
        self.fake("sudo", 'case "$*" in *apt-get*) exec "$@" ;; esac')  # rm is what it does not come to
        self.run_setup()
        self.assertTrue(self.policy.read_text(encoding="ascii").endswith("\nexit 101\n"))
        self.fake("sudo", _FAKES["sudo"])
        (self.units / "multi-user.target.wants/nginx.service").unlink()
        self.run_setup()
        self.assertEqual(self.asked("policy while it installs"), ["policy while it installs"] * 2)
        self.assertFalse(self.policy.exists())

    def test_services_of_another_package_manager_are_left_alone(self) -> None:
        self.run_setup(fail="busy")
        self.assertEqual(self.asked("policy while it waits"), [])
        self.assertEqual(self.asked("deb-systemd-helper"), [_DISABLES])

    def test_waits_for_the_locks_that_apt_get_does_not_wait_for(self) -> None:
        for step, words in (("update", "apt-get -q update"), ("install", _INSTALLS.rpartition(" ")[2] + " -q -y")):
            self.log.write_text("", encoding="ascii")
            with self.subTest(step):
                _, said = self.run_setup(fail=f"lock of {step}", SECONDS="100000")  # since the script began
                self.assertEqual(len(self.asked(words)), 2 * 3)  # noted by sudo and by apt-get
                self.assertEqual(said.count("E: Could not get lock /a/lock. It is held by process 1 (apt-get)"), 2)
                self.assertEqual(said.count("waits for the other package manager"), 2)
                self.assertEqual(len(self.asked("sleep")), 2)
            (self.units / "multi-user.target.wants/nginx.service").unlink()

    def test_two_at_once_take_turns(self) -> None:
        for installs in (True, False):
            with self.subTest(installs):
                held = self.hold()
                process = subprocess.Popen(
                    ["/bin/bash", self.setup],
                    env=self.environment(),
                    stdin=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    text=True,
                )
                self.addCleanup(process.wait)
                self.addCleanup(process.kill)
                assert process.stderr is not None
                self.assertIn("waits for another tools/setup to end", process.stderr.readline())
                self.assertEqual(self.asked("apt-get"), [])
                if not installs:
                    self.fake("dpkg-query", f"sed 's/ .*/, /; s/^/ii |amd64|,/' {self.scratch}/list")
                    (self.scratch / "list").write_text(self.run_setup("--list")[0], encoding="ascii")
                fcntl.flock(held, fcntl.LOCK_UN)
                said = process.communicate()[1]
                self.assertEqual(process.returncode, 0, said)
                self.assertEqual(said.split("\n")[-2], f"tools/setup: {'done' if installs else 'nothing is missing'}")
                self.assertEqual(len(self.asked(_INSTALLS)), installs)
            self.log.write_text("", encoding="ascii")

    def test_one_that_never_ends_is_said(self) -> None:
        text = self.setup.read_text(encoding="utf-8")
        self.setup.write_text(text.replace("TURN_SECONDS=3600", "TURN_SECONDS=0"), encoding="utf-8")
        self.hold()
        _, said = self.run_setup(status=1)
        self.assertIn("another tools/setup still holds the lock on ", said)
        self.assertEqual(self.asked("apt-get"), [])
        self.run_setup("--list")  # which changes nothing, and waits for nobody
        self.run_setup("--check", status=1)

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
