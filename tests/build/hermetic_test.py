"""Under --config=hermetic everything builds, and no action or test reaches the network."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import tempfile
import threading
import unittest
from collections.abc import Iterator
from pathlib import Path

from tests.build import evidence
from tests.build.nested_bazel import NestedBazel, checkout, clone, main
from tests.build.two_clones import PACKAGES, TESTS

# verb and target of each attempt; both call network/connect.sh.
ATTEMPTS = [("build", "//tests/build/network:action"), ("test", "//tests/build/network:test")]


class Listener:
    """Answers each connection to a port of the loopback with `answer`, and counts them. A context manager."""

    def __init__(self) -> None:
        self.answer = secrets.token_hex(16)
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return  # shut down below
            with connection:
                self.connections += 1
                connection.sendall(self.answer.encode())

    def __enter__(self) -> Listener:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()


@contextlib.contextmanager
def machine() -> Iterator[NestedBazel]:
    with tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR")) as folder:
        scratch = Path(folder)
        workspace = clone(checkout(), scratch / "hakmem")
        with NestedBazel(workspace, scratch / "outputs", {"HOME": folder, "USER": "builder"}) as bazel:
            yield bazel


class Hermetic(unittest.TestCase):
    def check_what_is_shipped(self, bazel: NestedBazel) -> None:
        log = bazel.workspace.parent / "log.json"
        bazel.check("test", "--config=hermetic", f"--execution_log_json_file={log}", *PACKAGES, *TESTS)
        elsewhere = evidence.not_run_by(evidence.spawns(log), evidence.WITHOUT_NETWORK)
        if elsewhere:
            self.fail(evidence.listed("not run in the sandbox", elsewhere))

    def check_attempt(self, bazel: NestedBazel, listener: Listener, verb: str, target: str) -> None:
        """First without network: once it has succeeded, Bazel would not run it again in another sandbox."""
        arguments = [f"--define=port={listener.port}", "--test_output=all", target]
        before = listener.connections
        refused = bazel.command(verb, "--config=hermetic", *arguments)
        self.assertNotEqual(refused.returncode, 0, "it succeeded without network")
        self.assertRegex(refused.stderr + refused.stdout, "connect: (Connection refused|Network is unreachable)")
        self.assertEqual(listener.connections, before)

        bazel.check(verb, *arguments)
        self.assertEqual(listener.connections, before + 1, "the attempt connects where it may")

    def test_actions_have_no_network_and_need_none(self) -> None:
        with machine() as bazel:
            self.check_what_is_shipped(bazel)
            with Listener() as listener:
                for verb, target in ATTEMPTS:
                    with self.subTest(target):
                        self.check_attempt(bazel, listener, verb, target)
                made = bazel.workspace / "bazel-bin/tests/build/network/answer.txt"
                self.assertEqual(made.read_text(encoding="utf-8"), listener.answer)


if __name__ == "__main__":
    main()
