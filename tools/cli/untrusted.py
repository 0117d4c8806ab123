# SPDX-License-Identifier: MIT
"""What a process says of itself, before it is used or shown: the process may be anybody's, and say what it likes."""

from __future__ import annotations

import json
from typing import Any

_TEXT_MOST = 200
_COUNT_MOST = 2**64 - 1
_VERSION = 1

_NUMBERS = ("pid", "clock_ms", "threads_omitted")
_TEXTS = ("library", "config", "spacing")
_TRUTHS = ("exact", "quiet")
_POOLS = ("tiny", "l2", "l25", "huge")
_SLABS = ("slabs", "slabs_owned", "slabs_full", "slabs_partial")
_BLOCKS = ("allocations", "frees", "live_blocks", "live_bytes", "cached_blocks", "free_blocks", *_SLABS)
_OF_POOL = (*_BLOCKS, "cached_bytes", "free_bytes")
_OF_CLASS = ("class", "block_size", *_BLOCKS)
_OF_LEARNED = ("rating", "matches")
_OF_THREAD = (
    "number",
    "tid",
    "allocations",
    "frees",
    "cached_blocks",
    "magazine_bytes",
    "exchanges",
    "remote_frees",
)
_OF_PROCESS = (
    "threads",
    "exchanges",
    "remote_frees",
    "held_bytes",
    "held_bytes_most",
    "slab_bytes",
    "slab_free_bytes",
    "slab_free_blocks",
    "slabs_empty",
    "magazine_bytes",
    "metadata_bytes",
    "decaying_bytes",
    "mapped_bytes",
    "purged_bytes",
    "huge_blocks_most",
    "huge_bytes_most",
    "system_maps",
    "system_unmaps",
    "system_purges",
    "system_remaps",
)


class Malformed(ValueError):
    """It is not what hakmem writes; the text says where."""


def printable(text: str, most: int = _TEXT_MOST) -> str:
    """The text with an escape in the place of what a terminal would act upon, or would not show; a long one is cut."""
    if len(text) > most:
        text = text[: most - 3] + "..."
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def _object(found: Any, where: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise Malformed(f"{where} is no object")
    return found


def _counts(found: Any, fields: tuple[str, ...], where: str) -> dict[str, Any]:
    of = _object(found, where)
    for field in fields:
        value = of.get(field)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _COUNT_MOST:
            raise Malformed(f"{field} of {where} is no count")
    return of


def _all_counts(found: Any, fields: tuple[str, ...], where: str) -> list[dict[str, Any]]:
    if not isinstance(found, list):
        raise Malformed(f"{where} is no list")
    return [_counts(one, fields, f"one of {where}") for one in found]


def _refuse_constant(text: str) -> None:
    raise Malformed(f"it has the number {text}")


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except Malformed:
        raise
    except RecursionError:
        raise Malformed("it is nested too deeply") from None
    except ValueError:
        raise Malformed("it is no JSON") from None


def statistics(text: bytes) -> dict[str, Any]:
    """An object of hakmem/observe/stats.schema.json, so far as this command uses it; Malformed where it is none."""
    found = _counts(_parsed(text), _NUMBERS, "the whole")
    if found.get("version") != _VERSION:
        raise Malformed(f"its version is not {_VERSION}")
    for field in _TEXTS:
        if not isinstance(found.get(field), str):
            raise Malformed(f"{field} is no text")
    for field in _TRUTHS:
        if not isinstance(found.get(field), bool):
            raise Malformed(f"{field} is neither true nor false")
    _counts(found.get("process"), _OF_PROCESS, "process")
    pools = _object(found.get("pools"), "pools")
    if set(pools) != set(_POOLS):
        raise Malformed("its pools are others")
    for name in _POOLS:
        _counts(pools[name], _OF_POOL, name)
    for one in _all_counts(found.get("classes"), _OF_CLASS, "classes"):
        if one.get("pool") not in _POOLS:
            raise Malformed("a class is of no pool")
        if "player" in one:
            _counts(one, _OF_LEARNED, "a class that learned")
            if not isinstance(one["player"], str):
                raise Malformed("a class's player is no text")
    if len({0, *(one["class"] for one in found["classes"])}) <= len(found["classes"]):
        raise Malformed("two classes have one number, or the number of none")
    _all_counts(found.get("threads"), _OF_THREAD, "threads")
    return found
