# SPDX-License-Identifier: MIT
"""What docs/operate.md tells operators to copy works: systemd's drop-in, the lines of a Dockerfile, a pod's variables.

No image is built and no service is started, which would need root: what they would install is unpacked into a scratch
folder, and what they would start runs there with the variables of the snippet.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import yaml

from tests.docs import documents
from tools.cli import main

# A block after the paragraph that begins with this title in bold.
_BLOCK = r"^\*\*{}\*\*.*?\n\n((?:    [^\n]*\n)+)"
_ASSIGNMENT = re.compile(r"^(?:Environment=|ENV )(\w+)=(.*)$", re.MULTILINE)

# What a drop-in is added to.
_SERVICE = "[Unit]\nDescription=Any\n[Service]\nExecStart=/bin/true\n"

# apt-get as it is, but it installs nothing, and what it needs besides the package is what this machine has.
_APT_GET = """#!/bin/sh
case "$1" in
update) ;;
*) exec {real} -o Debug::NoLocking=1 --simulate "$@" ;;
esac
"""


def snippet(title: str) -> str:
    text = (documents.checkout() / "docs/operate.md").read_text(encoding="utf-8")
    found = re.search(_BLOCK.format(re.escape(title)), text, re.DOTALL | re.MULTILINE)
    if found is None:
        raise AssertionError(f"docs/operate.md shows nothing under '{title}'")
    return re.sub("^    ", "", found[1], flags=re.MULTILINE)


class Snippets(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(scratch.cleanup)
        self.scratch = Path(scratch.name)
        subprocess.run(["dpkg-deb", "--extract", PACKAGE, self.scratch / "installed"], check=True)

    def run_with(self, variables: dict[str, str]) -> str:
        """What a program says that is started with these variables where the package is installed."""
        libraries = str(self.scratch / "installed/usr/lib/x86_64-linux-gnu")
        done = subprocess.run(
            ["/bin/true"], env={"LD_LIBRARY_PATH": libraries, **variables}, capture_output=True, text=True, check=True
        )
        return done.stderr

    def assert_active(self, variables: dict[str, str]) -> None:
        # The loader says what it cannot preload, the library which option or value it does not know.
        self.assertEqual("", self.run_with(variables))
        said = self.run_with({**variables, "HAKMEM_HELP": "1"})
        for name in variables.keys() - {"LD_PRELOAD"}:
            self.assertIn(f"hakmem: option: {name} ", said)
        self.assertIn("hakmem: option: ", said)

    def test_a_service_gets_the_drop_in(self) -> None:
        drop_in = snippet("systemd")
        self.assertRegex(drop_in, r"\A\[Service\]\n(Environment=\S+\n)+\Z")
        self.assert_active(dict(_ASSIGNMENT.findall(drop_in)))

    # No package that the tests install brings systemd: that would enable units of its own.
    @unittest.skipUnless(shutil.which("systemd-analyze"), "there is no systemd here")
    def test_systemd_takes_the_drop_in(self) -> None:
        unit = self.scratch / "any.service"
        unit.write_text(_SERVICE, encoding="ascii")
        (self.scratch / "any.service.d").mkdir()
        (self.scratch / "any.service.d/override.conf").write_text(snippet("systemd"), encoding="ascii")
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
        )
        # It reads other units too, and says what it thinks of them.
        about_it = [line for line in done.stderr.splitlines() if "any.service" in line]
        self.assertEqual(([], 0), (about_it, done.returncode), done.stderr)

    def test_the_exporters_unit_starts_what_there_is(self) -> None:
        unit = snippet("Prometheus")
        self.assertEqual(re.findall(r"(?m)^\[(\w+)\]$", unit), ["Unit", "Service", "Install"])
        command = re.findall(r"(?m)^ExecStart=/usr/bin/hakmem (.*)$", unit)[0]
        parsed = main.parser().parse_args(command.split())
        self.assertEqual((parsed.command.name, parsed.listen.text), ("export", "127.0.0.1:9187"))
        # tools/cli:export_test runs it with these rights alone.
        self.assertIn("CapabilityBoundingSet=CAP_SYS_PTRACE CAP_DAC_READ_SEARCH\n", unit)

    def test_a_container_runs_the_lines(self) -> None:
        lines = snippet("A container image")
        copied = re.search(r"^COPY (\S+) (/tmp/)$", lines, re.MULTILINE)
        run = re.search(r"^RUN (.*)$", lines, re.MULTILINE)
        assert copied is not None and run is not None, lines
        target = self.scratch / "tmp"
        target.mkdir()
        shutil.copyfile(PACKAGE, target / copied[1])
        tools = self.scratch / "tools"
        tools.mkdir()
        (tools / "apt-get").write_text(_APT_GET.format(real=shutil.which("apt-get")), encoding="ascii")
        (tools / "apt-get").chmod(0o755)
        done = subprocess.run(
            ["sh", "-c", run[1].replace(copied[2], f"{target}/")],
            env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertRegex(done.stdout, r"(?m)^Inst hakmem ")
        self.assertEqual([], list(target.iterdir()))
        self.assert_active(dict(_ASSIGNMENT.findall(lines)))

    def test_a_pod_gets_the_variables(self) -> None:
        listed = yaml.safe_load(snippet("Kubernetes"))
        self.assertEqual(["env"], list(listed))
        for entry in listed["env"]:
            self.assertEqual({"name": str, "value": str}, {key: type(value) for key, value in entry.items()})
        self.assert_active({entry["name"]: entry["value"] for entry in listed["env"]})


if __name__ == "__main__":
    PACKAGE = os.path.abspath(sys.argv.pop(1))
    unittest.main()
