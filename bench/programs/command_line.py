# SPDX-License-Identifier: MIT
"""Arguments of //bench/programs and //bench/programs:update_docs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from bench.programs.entrants import GUARDS, GUARD_FULL, PEERS
from bench.programs.measurement import Plan, WORKLOADS
from tools.measure import arguments
from tools.measure.paired import ROUNDS_MIN

EPILOG = (
    "Programs get an environment of their own; nothing of the caller's reaches them.\n"
    "README.md of bench/programs/ says what is measured, and docs/programs.md what came out."
)


def choice(what: str, known: Sequence[str]) -> Callable[[str], list[str]]:
    """A converter for argparse: words of `known` separated by commas, each once."""

    def convert(text: str) -> list[str]:
        words = text.split(",")
        for word in words:
            if word not in known:
                raise argparse.ArgumentTypeError(f"'{word}' is no {what}; there are {', '.join(known)}")
        if len(set(words)) != len(words):
            raise argparse.ArgumentTypeError(f"'{text}' names a {what} twice")
        return words

    return convert


def parser(name: str, description: str, has_format: bool = True) -> argparse.ArgumentParser:
    """A parser with what both programs have; the one that writes a document prints nothing in a format."""
    result = arguments.parser(name, description, EPILOG, has_format)
    add_peers_and_file(result)
    return result


def add_peers_and_file(result: argparse.ArgumentParser) -> None:
    """Adds what every program has that preloads allocators to real ones."""
    result.add_argument(
        "--peers",
        type=choice("peer", (*PEERS, *GUARDS)),
        default=list(PEERS),
        metavar="A,B",
        help=f"allocators beside hakmem (default: {','.join(PEERS)}; its own builds: {','.join(GUARDS)})",
    )
    result.add_argument("--json", metavar="FILE", help="also write the outcome to FILE as JSON")


def add_choice_of_programs(result: argparse.ArgumentParser) -> None:
    """Adds what a quick look needs, and a document must not have."""
    result.add_argument(
        "--programs",
        type=choice("program", tuple(WORKLOADS)),
        default=list(WORKLOADS),
        metavar="A,B",
        help=f"what to run (default: all: {','.join(WORKLOADS)})",
    )
    result.add_argument(
        "--once", action="store_true", help="one round to see that everything works; no ratio is reported"
    )


def refuse_misuse(parser: argparse.ArgumentParser, programs: Sequence[str], peers: Sequence[str]) -> None:
    """A program that guard full would end after some rounds, or not, is not measured under it."""
    for name in programs if GUARD_FULL in peers else ():
        if WORKLOADS[name].misuse is not None:
            others = ",".join(other for other in programs if WORKLOADS[other].misuse is None)
            hint = f": --programs={others}" if others else ""
            parser.error(f"{name} does not run under {GUARD_FULL}, since {WORKLOADS[name].misuse}; leave it out{hint}")


def plan(parser: argparse.ArgumentParser, parsed: argparse.Namespace) -> Plan:
    """What the arguments ask for; a usage error where it cannot be measured."""
    programs = getattr(parsed, "programs", list(WORKLOADS))
    refuse_misuse(parser, programs, parsed.peers)
    if getattr(parsed, "once", False) and parsed.rounds != ROUNDS_MIN:
        parser.error("--once is one round: no --rounds goes with it")
    return Plan(
        programs=programs,
        peers=parsed.peers,
        rounds=0 if getattr(parsed, "once", False) else parsed.rounds,
        seed=parsed.seed,
    )
