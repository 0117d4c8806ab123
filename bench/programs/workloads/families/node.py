# SPDX-License-Identifier: MIT
"""Node.js: a script with JSON, Buffers, compression and worker threads."""

from __future__ import annotations

import hashlib
from pathlib import Path

from bench.programs.workloads.errors import expect
from bench.programs.workloads.session import Session
from bench.programs.workloads.workload import Need, Outcome, Workload

_SCRIPT = Path(__file__).with_name("scripts") / "workload.js"
_WORKERS = 2
_BYTES = 8 << 20


class Script(Workload):
    """V8 maps its own heap; malloc serves Buffers, compression, the compiler and the threads."""

    name = "node"
    task = f"a Node.js script: JSON, Buffers, zlib, and {_WORKERS} worker threads that exchange them"
    needs = (Need("/usr/bin/node", "nodejs"),)
    programs = frozenset({"node"})

    def run(self, session: Session) -> Outcome:
        done = session.run("node", str(_SCRIPT.resolve()), str(_WORKERS), str(_BYTES))
        lines = done.stdout.decode().splitlines()
        # What the buffer holds is computed here too.
        pattern = bytes((i * 31 + 7) & 255 for i in range(256)) * (_BYTES // 256)
        expect(f"buffer {hashlib.sha256(pattern).hexdigest()}" in lines, "the buffer's checksum is wrong")
        expect("json equal" in lines and "zlib equal" in lines, f"a round trip failed: {lines}")
        expect(sum(line.startswith("worker ") for line in lines) == _WORKERS, f"not every worker answered: {lines}")
        return Outcome({"stdout": done.stdout, "stderr": done.stderr})


WORKLOADS = (Script(),)
