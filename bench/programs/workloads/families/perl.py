# SPDX-License-Identifier: MIT
"""Perl: a script with hashes, regular expressions and sorting. (Debian has no package with Perl's own tests.)"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

from bench.programs.workloads import generate
from bench.programs.workloads.errors import expect
from bench.programs.workloads.session import Session
from bench.programs.workloads.workload import Need, Outcome, Workload

_SCRIPT = Path(__file__).with_name("scripts") / "workload.pl"


class Script(Workload):
    """Counts words among other things; the counts are checked by counting them here."""

    name = "perl"
    task = "a Perl script over a text: word counts in hashes, regular expressions, sorting, nested structures"
    needs = (Need("/usr/bin/perl", "perl"),)
    programs = frozenset({"perl"})

    _TEXT = "text"

    def prepare(self, inputs: Path, seed: int) -> None:
        (inputs / self._TEXT).write_text(generate.text(random.Random(seed), 60_000))

    def run(self, session: Session) -> Outcome:
        # Perl seeds the order of its hashes from the system's random numbers, unless told.
        environment = {"PERL_HASH_SEED": "0", "PERL_PERTURB_KEYS": "0"}
        source = session.inputs / self._TEXT
        done = session.run("perl", str(_SCRIPT.resolve()), str(source), environment=environment)
        counts = Counter(source.read_text().split())
        printed = dict(line.rsplit(" ", 1) for line in done.stdout.decode().splitlines() if line.startswith("word "))
        expected = {f"word {word}": str(count) for word, count in counts.items()}
        expect(printed == expected, f"it counted {len(printed)} words, and there are {len(expected)}, or counts differ")
        return Outcome({"stdout": done.stdout, "stderr": done.stderr})


WORKLOADS = (Script(),)
