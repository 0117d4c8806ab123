# SPDX-License-Identifier: MIT
"""Clones of this checkout, each built by a Bazel of its own that shares nothing with the one that runs the test.

machines_test.py uses them. Bazel hands a test only its runfiles, and a whole checkout is no list of runfiles that
anybody could keep up. So that test is tagged "local": it runs where the checkout is, its runfiles are links to its files,
and the real path of this file leads to the rest. Bazel cannot see what it reads in that way; the tag "external" makes it
run it each time.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
import unittest
from pathlib import Path
from types import FrameType, TracebackType

# At the top of a checkout: what Bazel's links lead to, and what git knows of it, are not sources.
_NOT_CLONED_AT_THE_TOP = shutil.ignore_patterns(".git", "bazel-*")
_NOT_CLONED = shutil.ignore_patterns("__pycache__", "*.pyc")

_SECONDS_OF_A_COMMAND = 1800
_SECONDS_TO_END = 60
_POLL_SECONDS = 0.05


class BuildError(Exception):
    """A clone cannot be made or built; the text holds what Bazel said."""


def checkout() -> Path:
    """The folder of the checkout that this test was built from, in the state in which it is now."""
    root = Path(__file__).resolve().parents[2]
    for name in ("WORKSPACE", ".bazelrc", "tests/build/BUILD"):
        if not (root / name).is_file():
            raise BuildError(
                f"{root} is no checkout of hakmem: it has no {name}. This test runs on the machine that "
                "the checkout is on, outside of sandboxes that copy files."
            )
    return root


def clone(source: Path, target: Path) -> Path:
    """Copies a checkout, with new times. git is not asked: a checkout need not have its metadata."""

    def ignored(folder: str, names: list[str]) -> set[str]:
        top = _NOT_CLONED_AT_THE_TOP(folder, names) if Path(folder) == source else set()
        return top | _NOT_CLONED(folder, names)

    return Path(shutil.copytree(source, target, symlinks=True, ignore=ignored, copy_function=shutil.copy))


class NestedBazel:
    """The Bazel of one clone. A context manager, at whose end its server has ended; its outputs stay.

    `environment` is all that Bazel sees of the caller's, besides the PATH: nothing of what the outer Bazel or the user
    has set comes through.
    """

    def __init__(self, workspace: Path, output_root: Path, environment: dict[str, str]) -> None:
        self.workspace = workspace
        self._output_root = output_root
        self._environment = {"PATH": "/usr/bin:/bin", **environment}
        self._server: int | None = None

    def command(self, verb: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a command; its progress and its errors are in `stderr`."""
        startup = [
            # Debian's own rc file, the system's, says where Bazel is installed.
            "--nohome_rc",
            f"--output_user_root={self._output_root}",
            # Should this process be killed.
            "--max_idle_secs=60",
            # It collects garbage when it is idle, and is not ended while it does.
            "--noidle_server_tasks",
            # A server that lives half a minute gains nothing from the second compiler of its virtual machine.
            "--host_jvm_args=-XX:TieredStopAtLevel=1",
        ]
        return subprocess.run(
            ["bazel", *startup, verb, *arguments],
            cwd=self.workspace,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=_SECONDS_OF_A_COMMAND,
            check=False,
        )

    def check(self, verb: str, *arguments: str) -> str:
        """The standard output of a command that has to succeed."""
        done = self.command(verb, "--noshow_progress", "--color=no", *arguments)
        if done.returncode != 0:
            raise BuildError(
                f"bazel {verb} {' '.join(arguments)} in {self.workspace} ended with {done.returncode}:\n"
                f"{done.stderr}{done.stdout}"
            )
        return done.stdout

    def __enter__(self) -> NestedBazel:
        try:
            self._server = int(self.check("info", "server_pid"))
        except BaseException:
            self.command("shutdown")
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.command("shutdown")
        deadline = time.monotonic() + _SECONDS_TO_END
        while Path(f"/proc/{self._server}").exists():
            if time.monotonic() > deadline:
                raise BuildError(f"Bazel's server {self._server} runs on after `bazel shutdown`")
            time.sleep(_POLL_SECONDS)


def main() -> None:
    """Runs the tests of the program that calls it. Where Bazel ends one for its time, its servers are ended too."""

    def terminate(_signal: int, _frame: FrameType | None) -> None:
        raise SystemExit("ended by SIGTERM")

    signal.signal(signal.SIGTERM, terminate)
    unittest.main(module="__main__")
