# SPDX-License-Identifier: MIT
"""Runs a program in every form in which hakmem ships, and knows that hakmem served it.

Each run has an option in its environment that hakmem does not know. The warning about it proves that hakmem began in that
very process; it is taken out of what the program is judged by.
"""

from __future__ import annotations

import unittest
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.preload.life import run

_LIBRARIES = Path("hakmem/preload")

LIBRARIES: dict[str, Path | None] = {
    "preloaded": _LIBRARIES / "libhakmem.so",
    "guard": _LIBRARIES / "libhakmem-guard.so",
    "guard_full": _LIBRARIES / "libhakmem-guard-full.so",
    "linked": None,
}
"""What is preloaded in each form."""

FORMS = tuple(LIBRARIES)
GUARDS = ("guard", "guard_full")

_PROBE = "HAKMEM_PROBE"
_PROBE_WARNING = f"hakmem: warning: {_PROBE}="


class NotHakmem(Exception):
    """The program ran without hakmem."""


def run_form(program: Path, form: str, *arguments: object, **options: Any) -> run.Ended:
    """The end of the program in one of FORMS; `options` are those of run.run.

    Raises:
      NotHakmem: hakmem did not begin in it.
      run.Hung: as run.run.
    """
    path = program.with_name(program.name + "_linked") if form == "linked" else program
    variables = {**options.pop("variables", {}), _PROBE: "1"}
    ended = run.run([path.resolve(), *map(str, arguments)], library=LIBRARIES[form], variables=variables, **options)
    lines = ended.stderr.splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(_PROBE_WARNING)]
    if len(kept) == len(lines):
        raise NotHakmem(f"{path} as {form}: {ended}")
    return run.Ended(ended.status, ended.stdout, "".join(kept), ended.peak_bytes)


class FormTest(unittest.TestCase):
    """What is wrong with a run is shown with all that it printed."""

    maxDiff = None
    folder: Path
    """Where the programs are: the package of the test."""

    def in_forms(
        self,
        program: str,
        *arguments: object,
        forms: Iterable[str] = FORMS,
        status: int = 0,
        stdout: str | None = None,
        stderr: str | None = "",
        check: Callable[[run.Ended], None] = lambda ended: None,
        **options: Any,
    ) -> None:
        """Runs a program of the folder in each of `forms`: it has to end with `status` and to print just `stdout` and
        `stderr`, where they are not None; `check` looks at the rest."""
        for form in forms:
            with self.subTest(program=program, arguments=arguments, form=form):
                ended = run_form(self.folder / program, form, *arguments, **options)
                self.assertEqual(ended.status, status, str(ended))
                if stdout is not None:
                    self.assertEqual(ended.stdout, stdout, str(ended))
                if stderr is not None:
                    self.assertEqual(ended.stderr, stderr, str(ended))
                check(ended)

    def under_glibc(self, program: str, *arguments: object, **options: Any) -> run.Ended:
        """The same program without hakmem: the yardstick."""
        return run.run([(self.folder / program).resolve(), *map(str, arguments)], library=None, **options)
