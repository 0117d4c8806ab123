# SPDX-License-Identifier: MIT
"""Serves a folder as a Bazel cache over HTTP, until it is interrupted.

    bazel run //tools/remote:cache -- --folder=/var/cache/hakmem --listen=0.0.0.0:8080
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Sequence

from tools.remote.http_cache import CacheError, HttpCache

_STATUS_FAILED = 1
_LAST_PORT = 65535


def _listen(text: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":")
    try:
        ipaddress.IPv4Address(address)
        if not 0 <= int(port) <= _LAST_PORT:
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r}: an IPv4 address and a port (0: a free one) are wanted, " "as in 127.0.0.1:8080"
        ) from None
    return address, int(port)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r}: a number from 1 is wanted")
    return int(text)


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="cache.py", description=__doc__.split("\n")[0], allow_abbrev=False)
    parser.add_argument("--folder", required=True, type=Path, help="where the results are kept; made if missing")
    parser.add_argument(
        "--listen",
        required=True,
        type=_listen,
        metavar="ADDRESS:PORT",
        help="who can reach this can read and write the cache: there is no other check",
    )
    parser.add_argument("--workers", type=_positive, default=os.cpu_count() or 1, help="nginx's processes")
    parsed = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminate)
    # bazel run starts this in its own folder; a relative one is meant from where the user is.
    folder = Path(os.environ.get("BUILD_WORKING_DIRECTORY", ".")) / parsed.folder
    address, port = parsed.listen
    try:
        with HttpCache(folder, address, port, workers=parsed.workers) as cache:
            print(f"--config=remote-cache --remote_cache={cache.url}", flush=True)
            status = cache.wait()
            print(f"cache.py: nginx ended with {status}", file=sys.stderr)
            return _STATUS_FAILED
    except (CacheError, OSError) as error:
        print(f"cache.py: {error}", file=sys.stderr)
        return _STATUS_FAILED
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
