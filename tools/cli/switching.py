# SPDX-License-Identifier: MIT
"""Switches the profile of a running process on, off, or to another rate.

The process publishes a page (hakmem/observe/page.h), whose last words are a letter box: a word that was not there before says
what is wanted, and the process writes down what came of it at its next publication, within half a second. What the page says
is the process's, and the process may be anybody's.
"""

from __future__ import annotations

import contextlib
import os
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tools.cli import published, samples, shared
from tools.cli.command import InputError
from tools.cli.samples import RATE_DEFAULT, RATE_MAX, Samples

_PAGE_BYTES = 128 * 1024
_TAIL = struct.Struct("=4Q")
_TAIL_AT = _PAGE_BYTES - 40
_WANTED = struct.Struct("=Q")
_WANTED_AT = _PAGE_BYTES - 16

_OFF, _ON, _NONE = 1, 2, 3
_STATE_MASK, _STATE_BITS = 3, 2
_RATE_BITS = 41
_NUMBER_MASK = (1 << 64 - _RATE_BITS) - 1

# A process publishes twice a second; one that is stopped, or waits for its memory, does not.
_SECONDS_MOST = 120
_PAUSE_SECONDS = 0.02

_ERROR_MASK = 0x7FFFFFFF


@dataclass(frozen=True)
class State:
    is_on: bool
    rate: int
    """Bytes between two samples; where it is off, of the last time, or 0."""


@dataclass(frozen=True)
class _Tail:
    """The last words of a page but `asked`."""

    profile: int
    refused: int
    switched: int
    wanted: int


class _Unpublished(InputError):
    """The process has no page."""


@contextlib.contextmanager
def _opened(pid: int, how: int) -> Iterator[int]:
    """A descriptor of the page; InputError says why there is none."""
    try:
        descriptor = published.open_file(pid, how)
    except published.Unreachable as error:
        raise _Unpublished(str(error)) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _tail(descriptor: int, pid: int) -> _Tail:
    text = shared.read_at(descriptor, _TAIL.size, _TAIL_AT)
    if len(text) < _TAIL.size:
        raise InputError(f"process {pid}: what it publishes is not hakmem's: it is cut")
    found = _Tail(*_TAIL.unpack(text))
    state, rate = found.profile & _STATE_MASK, found.profile >> _STATE_BITS
    if found.profile == 0:
        raise InputError(f"process {pid}: its hakmem is too old for a profile that is switched from outside")
    if state == _NONE:
        raise InputError(f"process {pid}: its hakmem is a build with guard full, which has no profile")
    if state not in (_OFF, _ON) or rate > RATE_MAX or (state == _ON and rate == 0):
        raise InputError(f"process {pid}: what it publishes is not hakmem's: its profile has no such state")
    return found


def _state_of(found: _Tail) -> State:
    return State(found.profile & _STATE_MASK == _ON, found.profile >> _STATE_BITS)


def state(pid: int) -> State:
    """As the process published it last; InputError where it publishes nothing."""
    with _opened(pid, os.O_RDONLY) as descriptor:
        return _state_of(_tail(descriptor, pid))


def _word(rate: int, before: int) -> int:
    """What is wanted, as another word than what was wanted before, and than what others write now."""
    number = time.monotonic_ns() // 1000 & _NUMBER_MASK
    word = number << _RATE_BITS | rate
    return word if word not in (0, before) else word ^ 1 << _RATE_BITS


def _wait(descriptor: int, pid: int, word: int) -> _Tail:
    end = time.monotonic() + _SECONDS_MOST
    while (found := _tail(descriptor, pid)).switched != word:
        if found.wanted != word:
            raise InputError(f"process {pid}: another command switched its profile at the same time")
        if not os.path.exists(f"/proc/{pid}"):
            raise InputError(f"process {pid} has ended")
        if time.monotonic() > end:
            raise InputError(f"process {pid} does not answer: it is stopped, or busy within the system")
        time.sleep(_PAUSE_SECONDS)
    return found


def switch(pid: int, rate: int) -> State:
    """On, with that many bytes between two samples, or off where it is 0. InputError where the process does not."""
    with _opened(pid, os.O_RDWR) as descriptor:
        word = _word(rate, _tail(descriptor, pid).wanted)
        os.pwrite(descriptor, _WANTED.pack(word), _WANTED_AT)
        found = _wait(descriptor, pid, word)
    if found.refused:
        raise InputError(f"process {pid} cannot switch its profile: {os.strerror(found.refused & _ERROR_MASK)}")
    return _state_of(found)


def switch_on(pid: int, rate: int | None) -> State:
    """None: at the rate that it has, or at the default."""
    now = state(pid)
    return switch(pid, rate or (now.rate if now.is_on else 0) or RATE_DEFAULT)


def _is_on(pid: int) -> bool:
    """Whether samples are taken now, as the profile says, or the page of a process that has none yet."""
    try:
        return samples.read(pid).switched.is_on
    except InputError as error:
        try:
            return state(pid).is_on
        except _Unpublished:
            raise error from None


@contextlib.contextmanager
def _switched_on(pid: int, rate: int) -> Iterator[None]:
    """Switched off at the end, also where an interrupt comes while this waits for it to be on."""
    is_own = True
    try:
        try:
            switch(pid, rate)
        except InputError:
            is_own = False  # it was not switched, or by another command
            raise
        yield
    finally:
        if is_own:
            with contextlib.suppress(InputError):  # it has ended, or another command was faster
                switch(pid, 0)


def look(pid: int, seconds: int, rate: int | None = None) -> Samples:
    """The profile as it stands; with seconds what it grew by in so many from now on, for which it is switched on where it is
    off."""
    if not seconds:
        return samples.read(pid)
    if _is_on(pid):
        if rate is not None:
            raise InputError(f"process {pid} has its profile on: with --seconds a --rate is for one that is off")
        return samples.growth(pid, seconds)
    with _switched_on(pid, rate or RATE_DEFAULT):
        return samples.growth(pid, seconds)
