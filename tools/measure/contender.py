# SPDX-License-Identifier: MIT
"""A contender: one allocator as one program calls it. Every comparison of this project is between contenders."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.measure.program import BenchError

GLIBC = "glibc"
"""The C library's own malloc. Preloading nothing, or the C library itself, measures it."""

PRELOAD = "preload"
"""The link of a library that LD_PRELOAD puts into a program."""


class ContenderError(BenchError):
    """A contender that is not what it should be, or did not do what it should."""


@dataclass(frozen=True)
class Contender:
    """One allocator as one program calls it."""

    name: str
    link: str = PRELOAD
    """preload, shared, inlined or static."""
    worker: Path | None = None
    """The program that makes the calls; None: one that the user of the contender chooses."""
    library: Path | None = None
    """What is preloaded; None: nothing."""
    config: str | None = None
    """The switches that it must say it was built with; None: not asked."""
    alignment: int | None = None
    """Of every block of 16 bytes and more; None: what the interface promises by which it is called."""
    options: tuple[tuple[str, str], ...] = ()
    """Of its environment."""
    version: str | None = None
    """Where it is known before a run."""

    @property
    def is_glibc(self) -> bool:
        return self.name == GLIBC

    def file(self) -> Path:
        """The file that holds the allocator: its library, or the program that it is linked into."""
        found = self.library or (None if self.link == PRELOAD else self.worker)
        if found is None:
            raise BenchError(f"{self.name} has no file of its own")
        return found

    def environment(self, clean: Mapping[str, str]) -> dict[str, str]:
        """`clean`, the options and what loads the library. The name is there in any case: an empty one loads nothing."""
        return {**clean, **dict(self.options), "LD_PRELOAD": str(self.library or "")}

    def check(self, said: Mapping[str, Any]) -> None:
        """A ContenderError where the run that reported `said` was not this contender's."""
        config = said.get("config")
        if self.config is not None and config != self.config:
            raise ContenderError(f"{self.name} should be built with {self.config} and says {config}")
        if self.link == PRELOAD:
            self._require_its_library(said.get("allocator"))
        elif said.get("link") != self.link:
            raise ContenderError(f"{self.name} should be {self.link} and says {said.get('link')}")

    def _require_its_library(self, answered: str | None) -> None:
        """The loader only warns about a library that it cannot load; then another object answers malloc."""
        if answered is None:
            raise ContenderError(f"{self.name}: the worker does not say who answers malloc")
        if self.library is None:
            if not re.fullmatch(r"libc(-[0-9.]+)?\.so(\.6)?", Path(answered).name):
                raise ContenderError(f"{self.name}: {answered} answers malloc where libc should")
        elif not os.path.samefile(answered, self.library):
            raise ContenderError(
                f"{self.name}: {answered} answers malloc where {self.library} should: is that one an allocator?"
            )
