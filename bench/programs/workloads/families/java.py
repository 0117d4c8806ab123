# SPDX-License-Identifier: MIT
"""Java: the version, a class compiled, and run."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.programs.workloads.errors import expect
from bench.programs.workloads.session import Session
from bench.programs.workloads.workload import Need, Outcome, Workload

_SOURCE = Path(__file__).with_name("scripts") / "Workload.java"

# Written by hand: the count of primes below a million.
_PRIMES = b"primes 78498"


class CompileAndRun(Workload):
    """The heap is the virtual machine's own; malloc serves its compiler, its class data and direct buffers."""

    name = "java"
    task = "java -version, javac of a class, and the class: collections, direct buffers, compression, threads"
    needs = (Need("/usr/bin/java", "default-jdk-headless"), Need("/usr/bin/javac", "default-jdk-headless"))
    programs = frozenset({"java", "javac"})

    def run(self, session: Session) -> Outcome:
        version = session.run("java", "-version")
        expect(b"openjdk version" in version.stderr, f"java -version said {version.stderr!r}")
        shutil.copyfile(_SOURCE, session.folder / _SOURCE.name)
        session.run("javac", _SOURCE.name)
        done = session.run("java", "-Xmx256m", "-cp", ".", _SOURCE.stem)
        lines = done.stdout.splitlines()
        expect(_PRIMES in lines, f"the primes are not right: {lines}")
        expect(lines.count(b"deflated equal") == 4, f"not every round trip gave back the same: {lines}")
        outputs = {"version": version.stderr, "stdout": done.stdout, "stderr": done.stderr}
        return Outcome(outputs | {path.name: path.read_bytes() for path in session.folder.glob("*.class")})


WORKLOADS = (CompileAndRun(),)
