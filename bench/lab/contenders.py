# SPDX-License-Identifier: MIT
"""Who is compared with whom.

A **comparison family** is a set of contenders that are linked alike and run next to each other: only they are compared.
Each has an A/A control, one library under two names, whose difference is the noise of the machine; and, where the link
allows it, a reference allocator, which no change of hakmem touches and by which two reports can be compared.

  libraries    hakmem as it ships, also with its guard, and its peers, preloaded into one and the same program
  guard        the build that checks all it can, by hakmem as it ships
  profile      hakmem as it ships while it samples at the default rate, by itself
  switches     the sixteen combinations of hakmem's switches, preloaded, as far as they were built
  compiled-in  the same, linked into the program; with P2 their fast path is inlined
  spacings     other spacings of the size classes, preloaded
  experiments  hakmem as it ships with one experiment flipped, preloaded, as far as they were built
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.engine import variants, worker
from bench.engine.variants import COMBINATIONS, SWITCHES
from bench.engine.worker import preloaded
from tools.measure import arguments, peers
from tools.measure.contender import Contender, GLIBC
from tools.measure.program import BenchError

LIBRARIES = "libraries"
WITH_GUARD = "guard"
WITH_PROFILE = "profile"
COMPILED_IN = "compiled-in"
HAKMEM = "hakmem"
AGAIN = "-again"
"""The second name of the library that is the control ends with this."""

ALL = "+".join(SWITCHES)
STEPS = ("none", "p0", "p0+p1", "p0+p1+p2", ALL)
"""The ladder."""

DEBIAN = tuple(peers.PEERS)
"""Peers that goals are about; one of --peer is none of them."""

GUARD = "hakmem-guard"
"""Every invalid free is caught: fast enough to run next to the peers, on all workloads."""
GUARD_FULL = "hakmem-guard-full"
"""Whatever can be checked is: for tests, and measured on some workloads."""

SAMPLING = "hakmem-profile"
"""hakmem as it ships, with its profile on at the default rate."""

SPACINGS = {
    "pow2": "p0_p1_p2_p3",
    "fine": "p0_p1_p2_p3_fine",
    "fine16": "p0_p1_p2_p3_fine16",
}
"""Name -> variant. All four switches are on."""

_MULTIPLES_OF_8 = ("p0_p1_p2_p3_fine",)
"""Variants with classes of 24, 40 .. bytes: too little for a malloc of libc's names, and enough to be measured."""

SHIPPED = "shipped"
FLIPPED = "experiments"
EXPERIMENTS = {SHIPPED: variants.SHIPPED, **variants.FLIPPED}
"""Name -> variant; the first is what the others are compared with."""
CONFIGS = {SHIPPED: ALL, **variants.FLIPPED_CONFIG}
"""Name -> what the build has to say that it is: a run of one that ignores its flag fails."""

_PEER = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)=(.+)")


@dataclass(frozen=True)
class Family:
    """Contenders that are compared with each other."""

    name: str
    contenders: tuple[Contender, ...]
    control: tuple[str, str]
    pairs: tuple[tuple[str, str], ...]
    """Comparisons: the time of the first by that of the second."""
    reference: str

    def names(self) -> list[str]:
        return [contender.name for contender in self.contenders]

    def find(self, name: str) -> Contender:
        return next(contender for contender in self.contenders if contender.name == name)


def peer(text: str) -> tuple[str, Path]:
    """NAME=/path/lib.so of the command line, or a name of peers.MORE; a ValueError says what is wrong."""
    if text in peers.MORE:
        try:
            return text, peers.more(text).resolve()
        except BenchError as error:
            raise ValueError(str(error)) from error
    parts = _PEER.fullmatch(text)
    if parts is None:
        known = " or ".join(peers.MORE)
        raise ValueError(f"'{text}' is not NAME=/path/lib.so, NAME of letters, digits, '.', '_' and '-', nor {known}")
    name, path = parts[1], arguments.caller_path(parts[2]).resolve()
    if name in (HAKMEM, HAKMEM + AGAIN, GUARD, GUARD_FULL, SAMPLING, *DEBIAN):
        raise ValueError(f"'{text}': the name {name} is taken")
    try:
        head = path.open("rb").read(4)
    except OSError as error:
        raise ValueError(f"'{text}': {path}: {error.strerror}") from error
    if head != b"\x7fELF":
        raise ValueError(f"'{text}': {path} is not a shared library")
    if re.search(r"[:\s]", str(path)):
        raise ValueError(f"'{text}': the loader takes no path with a colon or blank")
    return name, path


def _library(variant: str) -> Path:
    return worker.built(f"bench/lab/libhakmem_{variant}")


def _variant(name: str, variant: str, config: str = ALL) -> Contender:
    built = preloaded(name, _library(variant), config)
    return replace(built, alignment=8) if variant in _MULTIPLES_OF_8 else built


def _again(contender: Contender) -> Contender:
    return replace(contender, name=contender.name + AGAIN)


def _reference() -> Contender:
    return preloaded(peers.REFERENCE, peers.library(peers.REFERENCE))


def _shipped(name: str, library: str) -> Contender:
    """A library that is given to users: all switches on."""
    return preloaded(name, worker.library(library), ALL)


_LIBRARY = "libhakmem.so"


def libraries(more: Sequence[tuple[str, Path]]) -> Family:
    """hakmem as it ships, without and with its guard, what the system has, and `more` of --peer."""
    shipped, guard = _shipped(HAKMEM, _LIBRARY), _shipped(GUARD, "libhakmem-guard.so")
    others = [preloaded(name, peers.library(name)) for name in peers.PEERS if name != GLIBC]
    others += [preloaded(name, path) for name, path in more]
    others.append(preloaded(GLIBC, None))
    return Family(
        name=LIBRARIES,
        contenders=(shipped, _again(shipped), guard, *others),
        control=(HAKMEM, HAKMEM + AGAIN),
        pairs=(
            *((HAKMEM, other.name) for other in others),
            *((GUARD, other) for other in (HAKMEM, peers.REFERENCE)),
        ),
        reference=peers.REFERENCE,
    )


def with_guard() -> Family:
    """The full guard, by hakmem as it ships."""
    found = [_shipped(HAKMEM, _LIBRARY), _shipped(GUARD_FULL, "libhakmem-guard-full.so")]
    return _with_control(WITH_GUARD, found, HAKMEM, [(GUARD_FULL, HAKMEM)])


def with_profile() -> Family:
    """The sampling profile, by hakmem as it ships. What it finds is thrown away at the end of each run."""
    shipped = _shipped(HAKMEM, _LIBRARY)
    sampling = replace(shipped, name=SAMPLING, options=(("HAKMEM_PROFILE", os.devnull),))
    return _with_control(WITH_PROFILE, [shipped, sampling], HAKMEM, [(SAMPLING, HAKMEM)])


def switch_pairs() -> tuple[tuple[str, str], ...]:
    """The ladder's steps, each switch alone against none, and all against all but one."""
    ladder = [(STEPS[i], STEPS[i - 1]) for i in range(1, len(STEPS))]
    added = [(switch, "none") for switch in SWITCHES]
    left_out = [(ALL, "+".join(other for other in SWITCHES if other != switch)) for switch in SWITCHES]
    return tuple(dict.fromkeys(ladder + added + left_out))


def _with_control(name: str, contenders: list[Contender], reference: str, pairs: Sequence[tuple[str, str]]) -> Family:
    again = _again(next(contender for contender in contenders if contender.name == reference))
    return Family(
        name=name,
        contenders=(*contenders, again, _reference()),
        control=(reference, again.name),
        pairs=tuple(pairs),
        reference=peers.REFERENCE,
    )


def _of_switches(family: str, make: Callable[[str, str], Contender]) -> Family:
    """The combinations that were built, the ladder's steps at least; `make` is given the name of each in targets, and what it
    says that it is."""
    found: list[Contender] = []
    for name, config in COMBINATIONS.items():
        try:
            found.append(make(name, config))
        except worker.NotBuilt:
            if config in STEPS:
                raise
    names = {contender.name for contender in found}
    return _with_control(family, found, ALL, [pair for pair in switch_pairs() if names.issuperset(pair)])


def switches() -> Family:
    """The combinations, preloaded."""
    return _of_switches("switches", lambda name, config: _variant(config, name, config))


def compiled_in() -> Family:
    """The combinations, linked into the program."""

    def make(name: str, config: str) -> Contender:
        program = worker.executable(f"worker_hakmem_{name}")
        return Contender(config, "inlined" if "p2" in config else "static", program, None, config)

    return _of_switches(COMPILED_IN, make)


def _against_first(name: str, variants: dict[str, str]) -> Family:
    first, *others = variants
    found = [_variant(own, variant, CONFIGS.get(own, ALL)) for own, variant in variants.items()]
    return _with_control(name, found, first, [(other, first) for other in others])


def spacings() -> Family:
    """Other size classes, against the powers of two."""
    return _against_first("spacings", SPACINGS)


def experiments() -> Family:
    """Each experiment that was built, flipped, against what ships."""
    names = []
    for name, variant in variants.FLIPPED.items():
        try:
            _library(variant)
        except worker.NotBuilt:
            continue
        names.append(name)
    if not names:
        raise worker.NotBuilt("no experiment was built")
    return flipped(names)


def flipped(names: Sequence[str]) -> Family:
    """Those experiments, "table-129", against what ships."""
    return _against_first(FLIPPED, {name: EXPERIMENTS[name] for name in (SHIPPED, *names)})


_OTHERS: dict[str, Callable[[], Family]] = {
    WITH_GUARD: with_guard,
    WITH_PROFILE: with_profile,
    "switches": switches,
    COMPILED_IN: compiled_in,
    "spacings": spacings,
    FLIPPED: experiments,
}


def families(more: Sequence[tuple[str, Path]]) -> list[Family]:
    """All families that this program was built with, in the report's order."""
    found = [libraries(more)]
    for make in _OTHERS.values():
        try:
            found.append(make())
        except worker.NotBuilt:
            continue
    return found


def not_built(found: Sequence[Family]) -> list[str]:
    """The families that are not among those."""
    return sorted({*_OTHERS} - {family.name for family in found}, key=list(_OTHERS).index)


def against(family: Family, baseline: str) -> Family:
    """The libraries, each by `baseline` in place of hakmem by each."""
    others = [name for name in family.names() if name != baseline and not name.endswith(AGAIN)]
    return replace(family, pairs=tuple((name, baseline) for name in others))


def matches(globs: Sequence[str], family: str, name: str) -> bool:
    """Whether one of `globs` is NAME or FAMILY/NAME; none at all match everything."""
    return not globs or any(
        fnmatch.fnmatchcase(name, glob) or fnmatch.fnmatchcase(f"{family}/{name}", glob) for glob in globs
    )


def narrowed(family: Family, globs: Sequence[str]) -> Family | None:
    """The family with the contenders that `globs` name, and those that they are compared with; None where none is."""
    if not globs:
        return family
    asked = {name for name in family.names() if matches(globs, family.name, name)}
    # hakmem is compared with whom one asks for; any other that is asked for, with what it derives from.
    is_hakmem = family.name == LIBRARIES
    pairs = tuple(pair for pair in family.pairs if pair[is_hakmem and pair[0] == HAKMEM] in asked)
    if not pairs and not asked.intersection(family.control):
        return None
    kept = {*asked, *family.control, *(name for pair in pairs for name in pair)}
    if family.name != LIBRARIES:
        kept.add(family.reference)
    return replace(family, contenders=tuple(one for one in family.contenders if one.name in kept), pairs=pairs)
