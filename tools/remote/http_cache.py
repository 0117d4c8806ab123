# SPDX-License-Identifier: MIT
"""An HTTP cache for Bazel: Debian's nginx with its WebDAV module, over one folder.

Used by cache.py, which people start, and by the test that builds a clone from such a cache.
"""

from __future__ import annotations

import getpass
import http.client
import os
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType

import jinja2

# nginx ends at once on SIGTERM; this is for a machine that hardly runs.
_SECONDS_TO_END = 30
_SECONDS_TO_ANSWER = 30
_ROOT = 0


class CacheError(Exception):
    """The cache cannot be served; the text says why."""


def _configuration(**values: object) -> str:
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(loader=loader, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return environment.get_template("nginx.conf.j2").render(values)


def _listen(address: str, port: int) -> socket.socket:
    try:
        return socket.create_server((address, port), backlog=511)
    except OSError as error:
        raise CacheError(f"cannot listen on {address}:{port}: {os.strerror(error.errno or 0)}") from None


class HttpCache:
    """A running cache; a context manager, at whose end nginx has ended.

    Port 0 takes a free one. The socket is opened here and handed to nginx, as nginx hands its own to its successor:
    so no other program can take the port in between, and connections wait instead of failing until nginx is up.
    nginx gets SIGTERM should this process die.
    """

    def __init__(self, folder: Path, address: str = "127.0.0.1", port: int = 0, workers: int = 1) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="hakmem_cache_")
        try:
            self._start(folder.absolute(), address, port, workers)
        except BaseException:
            self._scratch.cleanup()
            raise

    def _start(self, folder: Path, address: str, port: int, workers: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        with _listen(address, port) as listener:
            self.address, self.port = listener.getsockname()[:2]
            configuration = Path(self._scratch.name) / "nginx.conf"
            configuration.write_text(
                _configuration(
                    address=self.address,
                    port=self.port,
                    folder=folder,
                    scratch=self._scratch.name,
                    workers=workers,
                    # Without this line nginx's workers give up root, and cannot write into the folder.
                    user=getpass.getuser() if os.geteuid() == _ROOT else None,
                )
            )
            descriptor = listener.fileno()
            command = [
                "setpriv",
                "--pdeathsig",
                "TERM",
                "nginx",
                "-e",
                "stderr",
                "-p",
                self._scratch.name,
                "-c",
                str(configuration),
            ]
            environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "NGINX": f"{descriptor};"}
            self._process = subprocess.Popen(command, env=environment, pass_fds=[descriptor])
        self._wait_for_an_answer()

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.port}"

    def _wait_for_an_answer(self) -> None:
        connection = http.client.HTTPConnection(self.address, self.port, timeout=_SECONDS_TO_ANSWER)
        try:
            connection.request("GET", "/")
            status = connection.getresponse().status
        except OSError as error:
            self.close()
            raise CacheError(f"nginx does not answer: {error}; its status is {self._process.returncode}") from None
        finally:
            connection.close()
        if status != http.HTTPStatus.NOT_FOUND:
            self.close()
            raise CacheError(f"GET / gives {status}, and should give {http.HTTPStatus.NOT_FOUND}")

    def wait(self) -> int:
        """Until nginx ends by itself; its exit status."""
        return self._process.wait()

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._scratch.cleanup()

    def __enter__(self) -> HttpCache:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
