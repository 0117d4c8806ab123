# SPDX-License-Identifier: MIT
"""Bazel's own reference server of remote execution, built from Debian's package of Bazel's sources.

It serves remote execution and caching over gRPC, on all addresses and without asking who calls. So a program that
starts it first moves into a network namespace of its own, where there is nothing but a loopback.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from tests.build.nested_bazel import BuildError

_SOURCES = Path("/usr/src/bazel-bootstrap/src/tools/remote/src/main/java")
_MAIN = "com.google.devtools.build.remote.worker.RemoteWorker"
# What the sources are compiled with and run on: Debian's Bazel.
_BAZEL = "/usr/share/bazel/A-server.jar"

# The namespace is the program's own: no port in it is taken.
_PORT = 8980
_ALONE = "HAKMEM_NETWORK_NAMESPACE"
_SECONDS_TO_COMPILE = 300
_SECONDS_TO_START = 120
_SECONDS_TO_END = 30
_POLL_SECONDS = 0.05


def move_into_own_network() -> None:
    """Starts the program again in a namespace; to be called first of all. It returns in the second one only."""
    if _ALONE in os.environ:
        return
    # Others than root may make a namespace of networks in one of users.
    users = [] if os.geteuid() == 0 else ["--map-root-user"]
    inside = ["sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable, *sys.argv]
    os.execvpe("unshare", ["unshare", *users, "--net", *inside], {**os.environ, _ALONE: "1"})


class ReferenceWorker:
    """A context manager: the server runs inside, at `url`."""

    url = f"grpc://127.0.0.1:{_PORT}"

    def __init__(self, scratch: Path) -> None:
        if _ALONE not in os.environ:
            raise BuildError("move_into_own_network() was not called: all the world could run programs here")
        self._scratch = scratch
        self._log = scratch / "worker.log"

    def _compile(self) -> Path:
        classes = self._scratch / "classes"
        sources = sorted(str(source) for source in _SOURCES.rglob("*.java"))
        if not sources:
            raise BuildError(f"no sources in {_SOURCES}: the package bazel-bootstrap-source is not installed")
        done = subprocess.run(
            ["javac", "-nowarn", "-proc:none", "-cp", _BAZEL, "-d", str(classes), *sources],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=_SECONDS_TO_COMPILE,
        )
        if done.returncode != 0:
            raise BuildError(f"javac ended with {done.returncode}:\n{done.stdout}")
        return classes

    def __enter__(self) -> ReferenceWorker:
        classes = self._compile()
        results, work, started = (self._scratch / name for name in ("results", "work", "started"))
        results.mkdir()
        command = [
            "setpriv",
            "--pdeathsig",
            "TERM",
            "java",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            f"{classes}:{_BAZEL}",
            _MAIN,
            f"--listen_port={_PORT}",
            f"--cas_path={results}",
            f"--work_path={work}",
            f"--pid_file={started}",
        ]
        with self._log.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + _SECONDS_TO_START
        while not started.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._end()
                raise BuildError(f"the worker did not start:\n{self._log.read_text(encoding='utf-8')}")
            time.sleep(_POLL_SECONDS)
        return self

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
