# SPDX-License-Identifier: MIT
"""A listener on the loopback, for what tries to reach it."""

from __future__ import annotations

import secrets
import socket
import threading


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
