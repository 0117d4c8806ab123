# SPDX-License-Identifier: MIT
"""Lua: a script that makes and drops tables, strings, closures and coroutines."""

from __future__ import annotations

from pathlib import Path

from bench.programs.workloads.errors import expect
from bench.programs.workloads.session import Session
from bench.programs.workloads.workload import Need, Outcome, Workload

_SCRIPT = Path(__file__).with_name("scripts") / "workload.lua"
_DEPTH = 14
_QUEENS = {8: 92}
"""Board -> solutions, as is well known."""


class Script(Workload):
    name = "lua"
    task = "a Lua script: binary trees, strings in tables, the eight queens with coroutines, sorting"
    needs = (Need("/usr/bin/lua5.4", "lua5.4"),)
    programs = frozenset({"lua5.4"})

    def run(self, session: Session) -> Outcome:
        done = session.run("lua5.4", str(_SCRIPT.resolve()), str(_DEPTH))
        lines = done.stdout.decode().splitlines()
        expect(f"nodes {2 ** (_DEPTH + 1) - 1}" in lines, f"a tree of depth {_DEPTH} has another number of nodes")
        for board, solutions in _QUEENS.items():
            expect(f"queens {board} {solutions}" in lines, f"{board} queens have {solutions} solutions: {lines}")
        expect("sorted true" in lines, "it did not sort")
        return Outcome({"stdout": done.stdout, "stderr": done.stderr})


WORKLOADS = (Script(),)
