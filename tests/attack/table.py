# SPDX-License-Identifier: MIT
"""//tests/attack:table: writes docs/security.md and the table of SECURITY.md: what each attack gains, by allocator.

Every word of the tables is measured here: hakmem's builds several times, the others once. It ends with status 2 and
writes nothing where an allocator is not installed.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

import jinja2

from tests.attack import outcome, page
from tests.attack.kinds import SECTIONS, SIZES, kinds
from tests.attack.outcome import Attack, Verdict
from tools.measure import arguments, conditions, peers, program, progress
from tools.measure.program import BenchError

NAME = "table"
_FOLDER = Path(__file__).parent
_PRELOAD = _FOLDER.parents[1] / "hakmem/preload"
_OUTPUT, _SHORT = Path("docs/security.md"), Path("SECURITY.md")
_PEERS = ("glibc", "mimalloc", "jemalloc")
_SCUDO = "libclang_rt.scudo_standalone-x86_64.so"


def scudo() -> Path:
    """The library that Debian's compiler-rt has, newest release first; the loader does not know it."""
    found = sorted(Path("/usr/lib").glob(f"llvm-*/lib/clang/*/lib/linux/{_SCUDO}"))
    if not found:
        raise BenchError(f"{_SCUDO} is not installed; tools/setup --tests does that")
    return found[-1]


def _version_of_file(path: Path) -> str:
    owner = subprocess.run(["dpkg-query", "-S", str(path)], capture_output=True, text=True, check=True).stdout
    package = owner.split(": ")[0]
    command = ["dpkg-query", "-W", "-f", "${Version}", package]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def allocators() -> dict[str, Path | None]:
    """By name, in the order of the columns. None: the C library's own."""
    own: dict[str, Path | None] = {build: _PRELOAD / file for build, file in page.BUILDS.items()}
    others = {name: None if name == "glibc" else peers.library(name) for name in _PEERS}
    return {**own, **others, "scudo": scudo()}


def measure(library: Path | None, times: int, starts: int) -> dict[Attack, page.Verdicts]:
    attacks = outcome.attacks_of(kinds())
    found = outcome.run_all(attacks, _FOLDER, library, starts, lambda kind: 1 if kind.is_placement else times)
    return {attack: frozenset(verdicts) for attack, verdicts in found.items()}


def main() -> None:
    """Measures, writes and prints."""
    parser = argparse.ArgumentParser(prog=NAME, description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--times",
        type=arguments.whole_number(1, 1000),
        default=20,
        metavar="N",
        help="runs of each attack under hakmem (default: %(default)s)",
    )
    parser.add_argument(
        "--starts",
        type=arguments.whole_number(100, 1000),
        default=1000,
        metavar="N",
        help="starts of each kind of placement (default: %(default)s)",
    )
    parsed = parser.parse_args()
    workspace = arguments.workspace(f"//tests/attack:{NAME}")
    libraries = allocators()
    columns = {
        name: measure(libraries[name], parsed.times if name in page.BUILDS else 1, parsed.starts)
        for name in progress.shown("attacks", list(libraries))
    }
    versions = {name: peers.version(name) for name in _PEERS} | {"scudo": _version_of_file(scudo())}
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    text = environment.from_string((_FOLDER / "security.md.j2").read_text(encoding="utf-8")).render(
        columns=columns,
        builds=page.BUILDS,
        sections=SECTIONS,
        cell=page.cell,
        totals={name: page.totals(column) for name, column in columns.items()},
        verdicts=[verdict for verdict in Verdict],
        sizes=SIZES,
        kinds=len(kinds()),
        attacks=len(outcome.attacks_of(kinds())),
        starts=parsed.starts,
        times=parsed.times,
        versions=versions,
        machine=conditions.machine(),
    )
    (workspace / _OUTPUT).write_text(text, encoding="utf-8")
    short = (workspace / _SHORT).read_text(encoding="utf-8")
    (workspace / _SHORT).write_text(page.with_faults(short, page.faults(columns)), encoding="utf-8")
    print(page.faults(columns), end="")
    print(f"{workspace / _OUTPUT} written")


if __name__ == "__main__":
    program.run(NAME, main)
