# SPDX-License-Identifier: MIT
"""A laboratory whose workers only say that they measured: for tests of everything around the measuring.

As a program it is //bench:lab with these contenders and workloads in place of its own; its last argument is a folder,
in which it keeps its worker and counts its runs.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from bench.lab import command_line, contenders, lab, plan, report
from bench.lab.contenders import Family
from bench.lab.workloads import Workload
from tools.measure import peers, program
from tools.measure.contender import Contender

RUNS = "runs"
"""The file in the folder that is a byte longer after each timed run."""

# A test starts it hundreds of times, and to import json takes as long as all the rest of it.
_WORKER = """#!{python} -IS
import math, os, sys, zlib
folder = os.path.dirname(os.path.abspath(__file__))
given = dict(word[2:].split("=", 1) if "=" in word else (word[2:], "") for word in sys.argv[1:])
library = os.environ.get("LD_PRELOAD", "")
factor = {factors!r}[os.path.basename(library) or "glibc"]
operations = int(given["operations"]) * int(given["threads"])
# The same for all contenders of a round: what the machine does to them; then a little of their own.
shared = math.exp(0.6 * (zlib.crc32((given["workload"] + given["seed"]).encode()) / 2**32 - 0.5))
ns = max(1, int(operations * 10 * factor * shared * (1 + 0.002 * (int.from_bytes(os.urandom(4), "big") / 2**31 - 1))))
result = {{
    "name": "malloc", "link": "preload", "version": "1.0", "config": None, "comparable": True,
    "allocator": library or {libc!r}, "workload": given["workload"], "threads": int(given["threads"]),
    "operations": operations, "ns": ns, "cpu_ns": ns, "checksum": "0", "working_set_bytes": None,
    "peak_rss_bytes": int(1e6 * factor), "rss_bytes": 1000000, "minor_faults": 1, "major_faults": 0,
    "voluntary_switches": 0, "involuntary_switches": 0, "user_us": 1, "system_us": 0,
}}
if "hakmem" in library:
    result["config"] = "p0+p1+p2+p3"
if "memory" in given:
    result |= {{
        "samples": [{{"ms": 0.1 * i, "rss_bytes": 4096 * (i + 2), "live_bytes": 4096 * i}} for i in range(50)],
        "baseline_rss_bytes": 4096, "rss_after_free_bytes": 40960, "rss_after_second_bytes": 16384,
        "rss_after_decay_bytes": 8192, "decay_ms": 3,
        "mappings": 20,
    }}
elif "latency" in given:
    tail = {{"count": operations, "p50_ns": 10.0 * factor, "p99_ns": 20.0, "p999_ns": 90.0, "p9999_ns": 95.0, "max_ns": 900.0}}
    result["latency"] = {{"timer": "fake", "timer_cost_ns": 1.0, "alloc": tail, "free": tail}}
elif "verify" not in given:
    with open(os.path.join(folder, {runs!r}), "a") as count:
        count.write(".")
print(repr(result).replace("'", '"').replace("None", "null").replace("True", "true"))
"""

FACTORS = {"libhakmem.so": 1.0, "libmimalloc.so": 1.25, "libquick.so": 0.8, "glibc": 1.0005}
"""File of a contender -> its time by hakmem's."""


def make(folder: Path, factors: dict[str, float] | None = None) -> Family:
    """Writes the worker and the libraries into `folder`, and returns the family that runs them."""
    worker = folder / "worker"
    libc = peers.installed("libc.so.6")
    worker.write_text(
        _WORKER.format(python=sys.executable, factors=factors or FACTORS, libc=str(libc), runs=RUNS), encoding="utf-8"
    )
    worker.chmod(0o755)
    libraries = {}
    for name in (factors or FACTORS).keys() - {"glibc"}:
        libraries[name] = folder / name
        # The loader must take it, and nothing must change by it.
        libraries[name].write_bytes(peers.installed("libm.so.6").read_bytes())

    def preload(name: str, file: str | None) -> Contender:
        return Contender(name, "preload", worker, libraries[file] if file else None)

    others = [preload("mimalloc", "libmimalloc.so"), preload("quick", "libquick.so"), preload("glibc", None)]
    shipped = preload(contenders.HAKMEM, "libhakmem.so")
    again = preload(contenders.HAKMEM + contenders.AGAIN, "libhakmem.so")
    return Family(
        name=contenders.LIBRARIES,
        contenders=(shipped, again, *others),
        control=(shipped.name, again.name),
        pairs=tuple((shipped.name, other.name) for other in others),
        reference="mimalloc",
    )


def offered() -> list[Workload]:
    """Two workloads, one of them of two threads."""
    common: dict[str, Any] = {
        "description": "nothing", "source": "nobody", "unit": 1, "exact": False, "default_operations": 1000,
        "quick_operations": 100,
    }  # fmt: skip
    return [
        Workload(name="alone", family="single", threads=1, **common),
        Workload(name="pairs", family="threads", threads=2, **common),
    ]


def surroundings(whole: plan.Plan) -> report.Surroundings:
    """No binaries to look at: the libraries are empty files."""
    row = {"file": "x", "bytes": 1, "code_bytes": 1, "sha256": "0" * 64, "compiler": None}
    return report.Surroundings(
        machine={
            "cpu_model": "none", "processors": 2, "processors_allowed": 2, "hypervisor": False, "memory_bytes": None,
            "architecture": "x86_64", "kernel": "1", "distribution": None, "transparent_huge_pages": "never",
            "governors": [], "overcommit": "0", "load_before": 0.0,
        },
        commit=None,
        compilation={"compiler": "cc", "arguments": ["-O2"]},
        binaries={(family.name, name): row for family in whole.families.values() for name in family.names()},
        hot_path={"compiler": "gcc", "combinations": {}},
    )  # fmt: skip


def main() -> None:
    folder = Path(sys.argv.pop())
    family = make(folder)
    library = folder / "libunknown.so"
    library.write_bytes(b"")
    broken = replace(family.contenders[0], name="unknown", library=library, config=None)
    if any("unknown" in word for word in sys.argv):
        family = replace(
            family, contenders=(*family.contenders, broken), pairs=(*family.pairs, (contenders.HAKMEM, broken.name))
        )
    with (
        mock.patch.object(contenders, "families", lambda peers: [family]),
        mock.patch.object(command_line, "available", offered),
        mock.patch.object(lab, "_surroundings", surroundings),
        mock.patch.object(plan, "QUICK_WORKLOADS", ("alone",)),
    ):
        lab.main()


if __name__ == "__main__":
    program.run("lab", main)
