# SPDX-License-Identifier: MIT
"""Redis with a client of our own, which takes the time of each request."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator

from bench.programs.workloads.errors import expect
from bench.programs.workloads.session import Session, answers_on, free_port
from bench.programs.workloads.workload import Need
from bench.services.service import Record, Service

_LOOPBACK = "127.0.0.1"


def bulk(*words: bytes) -> bytes:
    """A command in Redis's protocol."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


class Redis(Service):
    """Each request is a pipeline of PIPELINE commands; the client waits for all of their answers."""

    name = "redis"
    PIPELINE = 16
    KEYS_PER_SECOND = 5_000
    """Of the working time: what is filled is the same however fast the server is."""
    KEPT = 10
    LARGER = 8
    task = (
        "redis-server without persistence: fills keys with values of 64 to 512 bytes, deletes nine of ten, fills an eighth "
        f"as many with values of 512 bytes to 4 KiB; pipelines of {PIPELINE}"
    )
    needs = (Need("/usr/bin/redis-server", "redis-server"),)
    programs = frozenset({"redis-*"})

    def commands(self) -> Iterator[bytes]:
        """The whole of the load."""
        keys = round(self.KEYS_PER_SECOND * self.times.work)
        for number in range(keys):
            yield bulk(b"SET", b"small:%d" % number, b"v" * (64 + number * 7919 % 449))
        for number in range(keys):
            if number % self.KEPT:
                yield bulk(b"DEL", b"small:%d" % number)
        for number in range(keys // self.LARGER):
            yield bulk(b"SET", b"large:%d" % number, b"v" * (512 + number * 7919 % 3585))

    def live(self, session: Session, record: Record) -> None:
        port = free_port()
        session.answer_jemalloc_calls()
        options = ["--bind", _LOOPBACK, "--port", str(port), "--save", "", "--appendonly", "no"]
        with session.serve(
            "redis-server", *options, "--dir", str(session.folder), ready=answers_on(port), stop=signal.SIGTERM
        ):
            record.begin = time.monotonic()
            with socket.create_connection((_LOOPBACK, port), timeout=self.times.limit) as connection:
                self._load(connection, record)
                record.rest(self.times.idle)

    def _load(self, connection: socket.socket, record: Record) -> None:
        waiting: list[bytes] = []
        answers = connection.makefile("rb")
        for command in self.commands():
            waiting.append(command)
            if len(waiting) == self.PIPELINE:
                began = time.monotonic()
                connection.sendall(b"".join(waiting))
                for _ in waiting:
                    answer = answers.readline()
                    expect(answer.startswith((b"+OK", b":1")), f"redis-server answered {answer!r}")
                record.took(time.monotonic() - began)
                waiting.clear()
