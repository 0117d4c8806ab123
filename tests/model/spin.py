# SPDX-License-Identifier: MIT
"""Exhaustive searches of models: spin makes a C program, pan, from a model; pan visits every state that can be reached."""

import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile
from typing import Callable, Iterable

FOLDER = os.path.dirname(os.path.abspath(__file__))

SEARCHES_AT_ONCE = 2
DEPTH = 1000000

# Safety only: no cycles are looked for. No partial order reduction: nearly every step touches what is shared.
PAN_OPTIONS = ["-w", "-DSAFETY", "-DNOREDUCE", "-DNOBOUNDCHECK"]


def run(command: list[str], directory: str) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except FileNotFoundError:
        sys.exit("%s is not installed: run tools/setup --tests" % command[0])


def spin(
    model: str, definitions: list[str], arguments: list[str], directory: str
) -> "subprocess.CompletedProcess[str]":
    defined = ["-D" + definition for definition in definitions]
    return run(["spin"] + defined + arguments + [os.path.join(FOLDER, model)], directory)


def build_pan(model: str, definitions: list[str], options: list[str], directory: str) -> None:
    for done in (
        spin(model, definitions, ["-a"], directory),
        run(["gcc"] + options + PAN_OPTIONS + ["-o", "pan", "pan.c"], directory),
    ):
        if done.returncode != 0:
            raise RuntimeError("%s: %s" % (" ".join(definitions), done.stdout))


def search(model: str, definitions: list[str], options: list[str], arguments: Iterable[str] = ()) -> str:
    """pan's report on every state there is, or on those up to the first error."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR")) as directory:
        build_pan(model, definitions, options, directory)
        return run(["./pan", "-m%d" % DEPTH, *arguments], directory).stdout


def is_complete(report: str) -> bool:
    """Every state was visited; none was left out for want of memory or depth."""
    return (
        "Full statespace search" in report
        and re.search(r"assertion violations\s+\+", report) is not None
        and re.search(r"invalid end states\s+\+", report) is not None
        and not re.search(r"max search depth too small|out of memory|MEMLIM|not completed|Bit statespace", report)
    )


def unreached(report: str) -> set[tuple[str, str]]:
    """Statements of the model that pan never executed, by line and text."""
    return set(re.findall(r"^\t\S+:(\d+), state \d+, (.*)$", report, re.MULTILINE))


def summary(report: str) -> str:
    states = re.search(r"(\d+) states, stored", report)
    complaint = re.search(r"^pan:\d+: (.*)$", report, re.MULTILINE)
    return "%9s states  %s" % (states.group(1) if states else "no", complaint.group(1) if complaint else "")


def search_each(names: Iterable[str], search_one: Callable[[str], str]) -> dict[str, str]:
    """A report for each name, printed in a line."""
    with concurrent.futures.ThreadPoolExecutor(SEARCHES_AT_ONCE) as pool:
        reports = dict(zip(names, pool.map(search_one, names)))
    for name, report in reports.items():
        print("%-30s %s" % (name, summary(report)), flush=True)
    return reports


def mutants_of(models: Iterable[str]) -> set[str]:
    """The mutants that these files of this folder have."""
    named: set[str] = set()
    for model in models:
        with open(os.path.join(FOLDER, model)) as text:
            named |= set(re.findall(r"^#ifn?def MUTANT_(\w+)$", text.read(), re.MULTILINE))
    return named
