# SPDX-License-Identifier: MIT
"""nginx with two workers on loopback: files fetched and compared, then wrk."""

from __future__ import annotations

import hashlib
import random
import re
import signal
import urllib.request
from pathlib import Path

from bench.programs.workloads import accounts, generate, normalise
from bench.programs.workloads.errors import expect
from bench.programs.workloads.session import Session, answers_on, free_port
from bench.programs.workloads.workload import Memory, Need, Outcome, Workload

_SECONDS = 3

# An answer that takes longer is an error; on a busy machine one may take seconds.
_TIMEOUT_SECONDS = 600

# Errors go to standard error, where a message of the allocator would be seen. gzip compresses anew each time.
_CONFIGURATION = """\
daemon off;
{user}
worker_processes 2;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    default_type text/plain;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    sendfile off;
    output_buffers 2 64k;
    gzip on;
    gzip_types text/plain;
    gzip_min_length 1;
    ssi on;
    ssi_types text/plain;
    server {{
        listen 127.0.0.1:{port};
        root {inputs};
    }}
}}
"""

# wrk asks for every file in turn, compressed.
_REQUESTS = """\
local names, turn = {{ {names} }}, 0
request = function()
    turn = turn % #names + 1
    return wrk.format("GET", names[turn], {{ ["Accept-Encoding"] = "gzip" }})
end
"""
_SIZES = {"empty": 0, "small": 300, "page": 8_000, "large": 60_000}


class Server(Workload):
    """Each file has to arrive as it is, plain and compressed, before and after the load."""

    name = "nginx"
    task = f"nginx, two workers: files of up to 60 kB compressed on the fly, {_SECONDS} s of wrk with 16 connections"
    needs = (Need("/usr/sbin/nginx", "nginx"), Need("/usr/bin/wrk", "wrk"))
    programs = frozenset({"nginx"})
    memory = Memory.SUM

    def prepare(self, inputs: Path, seed: int) -> None:
        text = generate.text(random.Random(seed), 1_500)
        for name, size in _SIZES.items():
            (inputs / name).write_text(text[:size])
        names = ", ".join(f'"/{name}"' for name in _SIZES)
        (inputs / "requests.lua").write_text(_REQUESTS.format(names=names))

    def run(self, session: Session) -> Outcome:
        port = free_port()
        configuration = session.folder / "nginx.conf"
        configuration.write_text(
            _CONFIGURATION.format(folder=session.folder, inputs=session.inputs, port=port, user=accounts.nginx_user())
        )
        command = ("nginx", "-e", "stderr", "-p", str(session.folder), "-c", str(configuration))
        with session.serve(*command, ready=answers_on(port), stop=signal.SIGQUIT):
            before = _fetch_all(session, port)
            wrk = session.tool(
                "wrk", "-t", "1", "-c", "16", "-d", f"{_SECONDS}s", "--timeout", f"{_TIMEOUT_SECONDS}s",
                "-s", str(session.inputs / "requests.lua"), f"http://127.0.0.1:{port}/",
            )  # fmt: skip
            expect(_fetch_all(session, port) == before, "files did not arrive after the load as before")
        operations, seconds = throughput(wrk.stdout.decode())
        return Outcome(before, operations, seconds)


def _fetch_all(session: Session, port: int) -> dict[str, bytes]:
    """Headers and body of every file, plain and compressed. The plain body is the file's."""
    found = {}
    for name in _SIZES:
        for encoding in ("identity", "gzip"):
            request = urllib.request.Request(f"http://127.0.0.1:{port}/{name}", headers={"Accept-Encoding": encoding})
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
                body = answer.read()
                # Date is now; Last-Modified and ETag are the time at which this test wrote the file.
                headers = normalise.without_headers(dict(answer.headers), "Date", "Last-Modified", "ETag")
            if encoding == "identity":
                expect(body == (session.inputs / name).read_bytes(), f"{name} did not arrive as it is")
            found[f"{name} {encoding}"] = f"{headers} {hashlib.sha256(body).hexdigest()}".encode()
    return found


def throughput(report: str) -> tuple[int, float]:
    """Requests and seconds from what wrk prints. An answer that was an error, or none, is one here."""
    expect("Non-2xx" not in report and "Socket errors" not in report, f"wrk saw errors: {report}")
    found = re.search(r"([0-9]+) requests in ([0-9.]+)(m?s)", report)
    expect(found is not None and int(found[1]) > 0, f"wrk counted no requests: {report}")
    assert found is not None
    return int(found[1]), float(found[2]) / (1000 if found[3] == "ms" else 1)


WORKLOADS = (Server(),)
