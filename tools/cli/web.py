# SPDX-License-Identifier: MIT
"""A server of one page over HTTP, for `hakmem export`: what it needs of the protocol, and bounds for whoever connects.

Who connects may be slow, many, or neither a browser nor Prometheus. A connection has one request and so many seconds for
all of it; where there are too many, the oldest goes. The page is made by one thread, and given to all who ask while it is new.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

CONNECTIONS_MOST = 64
SECONDS_MOST = 10.0

# Processes publish twice a second: a page of that age is as good as a new one.
FRESH_SECONDS = 0.5

_HEAD_MOST = 8192
_PIECE = 65536

_REQUEST = re.compile(r"([A-Z]{1,16}) ([!-~]+) HTTP/1\.[01]")
_GZIP = re.compile(
    r"^accept-encoding:(?:.*[, \t])?gzip[ \t]*(?:$|,|;[ \t]*q=(?:1|0\.0*[1-9]))", re.IGNORECASE | re.MULTILINE
)

_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
}
_PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Page:
    path: str
    content_type: str
    make: Callable[[], str]
    """In a thread of its own."""


@dataclass(frozen=True)
class _Answer:
    status: int
    body: bytes
    content_type: str = _PLAIN
    more: tuple[str, ...] = ()
    """Further lines of the head."""
    with_body: bool = True

    def head(self) -> bytes:
        lines = (
            f"HTTP/1.1 {self.status} {_REASONS[self.status]}",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {len(self.body)}",
            *self.more,
            "Connection: close",
        )
        return "".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii")


def _refusal(status: int, text: str, *more: str) -> _Answer:
    return _Answer(status, f"{text}\n".encode("ascii"), more=more)


class Server:
    def __init__(self, page: Page) -> None:
        self._page = page
        self._maker = ThreadPoolExecutor(max_workers=1)
        self._made: asyncio.Future[bytes] | None = None
        self._made_at = 0.0
        self._open: dict[asyncio.Task[None], None] = {}  # oldest first

    async def _body(self) -> bytes:
        """The page, of now or of a moment ago. All who ask while it is made get the same."""
        is_old = time.monotonic() - self._made_at >= FRESH_SECONDS
        if self._made is None or self._made.done() and (is_old or self._made.exception() is not None):
            make = self._page.make
            loop = asyncio.get_running_loop()
            self._made = asyncio.ensure_future(loop.run_in_executor(self._maker, lambda: make().encode("utf-8")))
            self._made_at = time.monotonic()
        # One who goes away takes nothing from the others.
        return await asyncio.shield(self._made)

    async def _page_answer(self, head: str, with_body: bool) -> _Answer:
        try:
            body = await self._body()
        except Exception as error:  # of any kind: the next one who asks may have more luck
            print(f"hakmem export: {type(error).__name__}: {error}", file=sys.stderr)
            return _refusal(500, "the figures could not be read")
        if _GZIP.search(head.replace("\r", "")):
            body = gzip.compress(body, compresslevel=1, mtime=0)
            return _Answer(200, body, self._page.content_type, ("Content-Encoding: gzip",), with_body)
        return _Answer(200, body, self._page.content_type, (), with_body)

    async def _answer(self, head: str) -> _Answer:
        request, _, headers = head.partition("\r\n")
        found = _REQUEST.fullmatch(request)
        if found is None:
            return _refusal(400, "this is no request of HTTP/1")
        try:
            path = urlsplit(found[2]).path
        except ValueError:
            return _refusal(400, "this is no address")
        if path not in (self._page.path, "/"):
            return _refusal(404, f"there is only {self._page.path}")
        if found[1] not in ("GET", "HEAD"):
            return _refusal(405, "GET and HEAD are allowed", "Allow: GET, HEAD")
        with_body = found[1] == "GET"
        if path == "/":
            link = f'<!doctype html><title>hakmem</title><a href="{self._page.path}">{self._page.path}</a>\n'
            return _Answer(200, link.encode("ascii"), "text/html; charset=utf-8", with_body=with_body)
        return await self._page_answer(headers, with_body)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            answer = await self._answer(head[:-4].decode("latin-1"))
        except asyncio.LimitOverrunError:
            answer = _refusal(431, f"the head of a request has at most {_HEAD_MOST} bytes")
        except asyncio.IncompleteReadError:
            return
        writer.write(answer.head())
        # In pieces, each when the one before has gone: a slow reader keeps no copy of the page.
        for start in range(0, len(answer.body) if answer.with_body else 0, _PIECE):
            writer.write(answer.body[start : start + _PIECE])
            await writer.drain()
        writer.write_eof()
        # What was sent behind the request is read: closed before, the connection would be reset, and the answer lost.
        while await reader.read(_PIECE):
            pass

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._open) >= CONNECTIONS_MOST:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.cancel()
        self._open[task] = None
        try:
            await asyncio.wait_for(self._talk(reader, writer), SECONDS_MOST)
        except (OSError, asyncio.TimeoutError, asyncio.CancelledError):
            pass  # it went away, was too slow, or had to go
        finally:
            self._open.pop(task, None)
            if writer.transport.get_write_buffer_size():
                writer.transport.abort()  # what is left would wait for a reader that may never come
            writer.close()

    async def run(self, host: str, port: int, is_ready: Callable[[list[str]], None]) -> None:
        """Until SIGTERM or SIGINT. Says the addresses that it listens at; OSError where it cannot."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for one in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(one, stop.set)
        server = await asyncio.start_server(self._connected, host, port, limit=_HEAD_MOST)
        try:
            names = (one.getsockname() for one in server.sockets)
            is_ready([f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}" for name in names])
            await stop.wait()
        finally:
            server.close()
            for task in list(self._open):
                task.cancel()
            self._maker.shutdown(wait=False)
