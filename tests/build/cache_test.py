# SPDX-License-Identifier: MIT
"""tools/remote/cache.py as a program: what it stores and refuses, how it starts and ends."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

PROGRAM = "tools/remote/cache"
PREFIX = "--config=remote-cache --remote_cache=http://"
DIGEST = "0123456789abcdef" * 4
_SECONDS = 600


class Cache(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(scratch.cleanup)
        self.scratch = Path(scratch.name)

    def start(self, listen: str = "127.0.0.1:0") -> subprocess.Popen[str]:
        program = subprocess.Popen(
            [PROGRAM, f"--folder={self.scratch / 'store'}", f"--listen={listen}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(program.communicate, timeout=_SECONDS)
        self.addCleanup(program.terminate)
        return program

    def address(self, program: subprocess.Popen[str]) -> str:
        assert program.stdout is not None
        line = program.stdout.readline().strip()
        self.assertTrue(line.startswith(PREFIX), line)
        return line[len(PREFIX) :]

    def request(self, address: str, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(address, timeout=_SECONDS)
        self.addCleanup(connection.close)
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def test_what_is_put_can_be_read_also_after_a_new_start(self) -> None:
        program = self.start()
        address = self.address(program)
        self.assertEqual(self.request(address, "GET", f"/cas/{DIGEST}")[0], http.HTTPStatus.NOT_FOUND)
        self.assertEqual(self.request(address, "PUT", f"/cas/{DIGEST}", b"content")[0], http.HTTPStatus.CREATED)
        self.assertEqual(self.request(address, "GET", f"/cas/{DIGEST}"), (http.HTTPStatus.OK, b"content"))
        self.assertEqual(self.request(address, "GET", f"/ac/{DIGEST}")[0], http.HTTPStatus.NOT_FOUND)
        program.terminate()
        program.wait(_SECONDS)

        address = self.address(self.start())
        self.assertEqual(self.request(address, "GET", f"/cas/{DIGEST}"), (http.HTTPStatus.OK, b"content"))

    def test_nothing_else_can_be_written_or_removed(self) -> None:
        address = self.address(self.start())
        self.request(address, "PUT", f"/cas/{DIGEST}", b"content")
        for path in ("/cas/short", f"/other/{DIGEST}", f"/cas/{DIGEST}/more", f"/cas/../{DIGEST}", "/"):
            with self.subTest(path):
                self.assertGreaterEqual(self.request(address, "PUT", path, b"x")[0], http.HTTPStatus.BAD_REQUEST)
        self.assertEqual(self.request(address, "DELETE", f"/cas/{DIGEST}")[0], http.HTTPStatus.METHOD_NOT_ALLOWED)
        files = sorted(str(path.relative_to(self.scratch)) for path in self.scratch.rglob("*") if path.is_file())
        self.assertEqual(files, [f"store/cas/{DIGEST}"])

    def test_a_signal_ends_it_and_frees_the_port(self) -> None:
        for ending in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(ending.name):
                program = self.start()
                address = self.address(program)
                program.send_signal(ending)
                self.assertEqual(program.wait(_SECONDS), 0)
                with self.assertRaises(ConnectionRefusedError):
                    self.request(address, "GET", "/")

    def test_a_port_in_use_is_an_error(self) -> None:
        address = self.address(self.start())
        second = self.start(address)
        self.assertIn(f"cannot listen on {address}: Address already in use", second.communicate(timeout=_SECONDS)[1])
        self.assertEqual(second.returncode, 1)

    def test_wrong_arguments(self) -> None:
        for arguments, words in [
            (["--listen=127.0.0.1:0"], "--folder"),
            (["--folder=x"], "--listen"),
            (["--folder=x", "--listen=8080"], "an IPv4 address and a port"),
            (["--folder=x", "--listen=localhost:8080"], "an IPv4 address and a port"),
            (["--folder=x", "--listen=127.0.0.1:65536"], "an IPv4 address and a port"),
            (["--folder=x", "--listen=127.0.0.1:0", "--workers=0"], "a number from 1"),
        ]:
            with self.subTest(arguments):
                done = subprocess.run(
                    [PROGRAM, *arguments],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    timeout=_SECONDS,
                    check=False,
                )
                self.assertEqual(done.returncode, 2)
                self.assertIn(words, done.stderr)


if __name__ == "__main__":
    unittest.main()
