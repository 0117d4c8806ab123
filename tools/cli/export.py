# SPDX-License-Identifier: MIT
"""hakmem export: the statistics of all processes of the machine that publish, for Prometheus."""

from __future__ import annotations

import argparse
import errno
import re
import sys
import time
from dataclasses import dataclass

from tools.measure.program import BenchError
from tools.cli import exposition, published, workload
from tools.cli.command import Command, REFUSED, statuses
from tools.cli.exposition import Exposition
from tools.cli.published import Unreachable
from tools.cli.untrusted import printable

_DEFAULT = "127.0.0.1:9187"
_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]]+)):([0-9]{1,5})")

# One that writes without end, or was stopped while it wrote, delays the others by this many pauses of published.py.
_ATTEMPTS = 4


@dataclass(frozen=True)
class _Listen:
    host: str
    port: int
    text: str
    """For messages."""


def _is_host(host: str, is_bracketed: bool) -> bool:
    """Whether it can be one. Of what cannot, a name like a..b, the resolver raises UnicodeError, and not OSError as it does of
    a host that there is not."""
    import ipaddress  # which the other commands need not load

    try:
        if is_bracketed:
            ipaddress.IPv6Address(host)
        else:
            host.encode("idna")
    except ValueError:
        return False
    return True


def _listen(text: str) -> _Listen:
    found = _ADDRESS.fullmatch(text)
    host = (found[1] or found[2]) if found else ""
    if found is None or int(found[3]) > 65535 or not _is_host(host, found[1] is not None):
        raise argparse.ArgumentTypeError(f"'{printable(text)}' is not HOST:PORT, as {_DEFAULT} or [::1]:9187 is")
    return _Listen(host, int(found[3]), printable(text))


def labels_of(pid: int) -> dict[str, str]:
    cgroup = workload.cgroup_of(pid)
    return {
        "pid": str(pid),
        "command": published.program_of(pid),
        "cgroup": cgroup,
        "container": workload.container_of(cgroup),
    }


def add(to: Exposition, pid: int, with_threads: bool, attempts: int = published.ATTEMPTS) -> None:
    """What a process publishes, and what the kernel says of it; Unreachable says why it cannot be asked."""
    found = published.read(pid, attempts)
    labels = labels_of(pid)
    exposition.add_process(to, found, labels, with_threads)
    resident = published.resident_bytes(pid)
    if resident is not None:
        help_text = "Resident memory of the process, the program's own included"
        to.add("hakmem_process_resident_bytes", help_text, labels, resident)


def text(with_threads: bool) -> str:
    """Of all processes that may be asked."""
    began = time.monotonic()
    found = Exposition()
    read = unreadable = 0
    for pid in published.processes():
        try:
            add(found, pid, with_threads, _ATTEMPTS)
            read += 1
        except Unreachable as error:
            unreadable += error.status != published.GONE
    found.add("hakmem_export_processes", "Processes in this answer", {}, read)
    found.add("hakmem_export_unreadable_processes", "Processes that publish and could not be read", {}, unreadable)
    seconds = round(time.monotonic() - began, 6)
    found.add("hakmem_export_duration_seconds", "Time that it took to gather this answer", {}, seconds)
    return found.text()


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--listen",
        type=_listen,
        default=_DEFAULT,
        metavar="HOST:PORT",
        help="where to (default: %(default)s); port 0 takes a free one",
    )
    parser.add_argument(
        "--threads", action="store_true", help="series of each thread as well; they come and go with the threads"
    )


def _ready(addresses: list[str]) -> None:
    try:
        for address in addresses:
            print(f"http://{address}/metrics", flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise BenchError(f"it listens, and cannot say where: {error.strerror}") from None


def _run(parsed: argparse.Namespace) -> int:
    # These take longer to load than all that the other commands need of this module.
    import asyncio

    from tools.cli import web

    listen: _Listen = parsed.listen
    server = web.Server(web.Page("/metrics", exposition.CONTENT_TYPE, lambda: text(parsed.threads)))
    try:
        asyncio.run(server.run(listen.host, listen.port, _ready))
    except BrokenPipeError:
        raise
    except OSError as error:
        in_use = "another program listens there; --listen=HOST:PORT takes another place"
        # The event loop's own text of it repeats the address.
        reason = in_use if error.errno == errno.EADDRINUSE else (error.strerror or str(error))
        print(f"hakmem export: cannot listen at {listen.text}: {reason}", file=sys.stderr)
        return 1
    return 0


COMMAND = Command(
    name="export",
    summary="serve the statistics of all processes that publish, for Prometheus",
    description="Answers at http://HOST:PORT/metrics with what the processes of this machine publish, in Prometheus' text\n"
    "format: all processes for root, a user's own for a user. Each has the labels pid, command, and where they can be\n"
    "told cgroup and container. Whoever can connect may read it: it has neither passwords nor encryption. Prints the\n"
    "address when it listens there, and goes on until SIGTERM or Ctrl-C.\n\n"
    + statuses(
        f"0; 1 where it cannot listen at HOST:PORT, or something else failed; {REFUSED} where the arguments are wrong",
        interrupted=0,
        terminated=0,
    ),
    configure=_configure,
    run=_run,
)
