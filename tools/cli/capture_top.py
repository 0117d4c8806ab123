# SPDX-License-Identifier: MIT
"""Writes what `hakmem top` shows of a redis-server under redis-benchmark into the documents, between two markers.

    bazel run //tools/cli:capture_top            README.md and docs/observe.md of the workspace
    bazel run //tools/cli:capture_top -- --show  on standard output

Status 1 where the server or its load does not run; the documents are as they were then.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.measure import program
from tools.measure.program import BenchError
from tools.cli import published

_COMMAND = Path(__file__).absolute().parent / "hakmem"
_DOCUMENTS = ("README.md", "docs/observe.md")
_MARKED = re.compile(r"(<!-- top: bazel run //tools/cli:capture_top -->\n\n).*?(\n<!-- end of top -->)", re.DOTALL)
_SECONDS = 60
_REQUESTS = 20_000_000
_ROWS_IN_README = 4


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


@contextmanager
def _running(*line: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **environment}
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(_SECONDS)


def _wait_until_published(pid: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        try:
            published.read(pid)
            return
        except published.Unreachable:
            time.sleep(0.1)
    raise BenchError("redis-server does not publish")


def _capture() -> str:
    """One reading, as a pipe gets it."""
    port = _free_port()
    library = _COMMAND.parents[2] / "hakmem/preload/libhakmem.so"
    with tempfile.TemporaryDirectory() as folder:
        server_line = ("redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder)
        load_line = (
            "redis-benchmark",
            "-p",
            str(port),
            "-n",
            str(_REQUESTS),
            "-r",
            "100000",
            "-d",
            "200",
            "-t",
            "set,lpush,lpop",
            "-q",
        )
        with _running(*server_line, LD_PRELOAD=str(library), HAKMEM_PUBLISH="1") as server:
            _wait_until_published(server.pid, server)
            with _running(*load_line) as load:
                line = [str(_COMMAND), "top", "--interval=2", "--count=2", str(server.pid)]
                done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=_SECONDS)
                if done.returncode != 0 or load.poll() is not None:
                    raise BenchError(f"top ended with {done.returncode}: {done.stderr}")
    # The second reading: the server was under load all the time between the two.
    return _last_screen(done.stdout)


def _last_screen(text: str) -> str:
    screens = re.split(r"(?m)^(?=redis-server \()", text)
    return "\n".join(line.rstrip() for line in screens[-1].strip().splitlines())


def _short(text: str) -> str:
    """Without the tables of threads and of the less used classes."""
    lines = text.partition("\n\nThreads")[0].splitlines()
    classes = next(place for place, line in enumerate(lines) if line.startswith("Classes"))
    return "\n".join(lines[: classes + 4 + _ROWS_IN_README])


def _main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="capture_top", description=__doc__.split("\n")[0], allow_abbrev=False)
    parser.add_argument("--show", action="store_true", help="print it, and leave the documents alone")
    parsed = parser.parse_args(arguments)
    text = _capture()
    if parsed.show:
        print(text)
        return
    root = Path(os.environ["BUILD_WORKSPACE_DIRECTORY"])
    written: dict[Path, str] = {}
    for name in _DOCUMENTS:
        path = root / name
        shown = _short(text) if name == "README.md" else text
        block = "".join(f"    {line}".rstrip() + "\n" for line in shown.splitlines())
        document, count = _MARKED.subn(lambda match: match[1] + block + match[2], path.read_text(encoding="utf-8"))
        if count != 1:
            raise BenchError(f"{name} has {count} places for it; one is wanted")
        written[path] = document
    for path, document in written.items():
        path.write_text(document, encoding="utf-8")


def main() -> None:
    program.run("capture_top", _main)


if __name__ == "__main__":
    main()
