# SPDX-License-Identifier: MIT
"""Figures and names for readers. Tables are measure.table's."""

from __future__ import annotations

import re

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def size(count: float) -> str:
    """Bytes in the largest unit of which there is one, three digits at least."""
    unit = 0
    while abs(count) >= 1024 and unit < len(_UNITS) - 1:
        count /= 1024
        unit += 1
    return f"{count:,.0f} {_UNITS[unit]}" if unit == 0 or count >= 100 else f"{count:,.1f} {_UNITS[unit]}"


def number(count: float) -> str:
    return f"{count:,.0f}"


def counted(count: float, thing: str, things: str | None = None) -> str:
    """ "1 block", "2 blocks"; `things` where the plural has more than an s."""
    shown = number(count)
    return f"{shown} {thing if shown == '1' else things or thing + 's'}"


def short(count: float) -> str:
    """In the largest unit of which there is one from ten millions on, so that what counts for days fits its column."""
    if count < 10_000_000:
        return number(count)
    scaled, units = count / 1e6, "MGTP"
    while scaled >= 1000 and len(units) > 1:
        scaled, units = scaled / 1000, units[1:]
    return f"{scaled:,.1f} {units[0]}"


def every(rate: int) -> str:
    """How many samples there are."""
    return "a sample of every block" if rate == 1 else f"a sample every {size(rate)}"


def exactness(is_exact: bool, rate: int) -> str:
    """Of a profile with so many bytes between two samples."""
    return "exact" if is_exact else "of blocks that were sampled" if rate == 1 else f"estimated from {every(rate)}"


_NAME_WIDTH = 72

# Signs that open and close nothing, or come whole.
_SIGN = re.compile(r"\boperator\s*(?:\(\)|->\*?|<=>|<<=?|>>=?|[<>]=?)|->|[<(>)]|(?:(?!\boperator\b)[^<(>)-])+|.")


def _elided(text: str, depth: int) -> str:
    """Without what stands in so many brackets, or more. Those around the type at the beginning of a name of Rust's,
    "<Vec<T>>::push", do not count, but at a depth of 0."""
    parts = []
    open_now = 0
    is_type = depth > 0 and text.startswith("<")
    most = depth + 1 if is_type else max(1, depth)
    for sign in _SIGN.findall(text):
        if sign in "<(":
            open_now += 1
            if open_now == most:
                parts.append(f"{sign}..")
        elif sign in ">)":
            if open_now == most:
                parts.append(sign)
            open_now = max(0, open_now - 1)
            if open_now + 1 >= most:
                continue
        if open_now < most:
            parts.append(sign)
        if is_type and open_now == 0:
            is_type, most = False, depth
    return "".join(parts)


def function(name: str, width: int = _NAME_WIDTH) -> str:
    """The name of a function, for a table: of one that is long, arguments of templates and parameters go, innermost first."""
    shorter = name
    for depth in (4, 3, 2, 1, 0):
        if len(shorter) > width:
            shorter = _elided(name, depth)
    return shorter if len(shorter) <= width else shorter[: width - 2] + ".."


def bar(share: float, width: int = 30) -> str:
    """A bar of at most `width` characters."""
    return "#" * max(1 if share > 0 else 0, round(share * width))
