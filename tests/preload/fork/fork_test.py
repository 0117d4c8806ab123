# SPDX-License-Identifier: MIT
"""Children made in every way, by threads in every state: nothing hangs in them that does not hang under glibc."""

from __future__ import annotations

import unittest
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.preload import forms
from tests.preload.life import run

_FOLDER = Path("tests/preload/fork")
_STATIC = "matrix_static"
_WAYS = ("fork", "_Fork", "clone", "vfork", "spawn", "daemon")
_PARENTS = ("one", "several")

_LINES = "".join(
    f"{way} {what} ok\n"
    for way in _WAYS
    for what in ("calls", "exit", "last")
    # The C library does not know of such a child, and waits for the end of its first thread for ever.
    if (way, what) != ("clone", "last")
)


def _run(form: str, parent: str) -> tuple[str, str, run.Ended]:
    if form == "static":
        return form, parent, forms.run_form(_FOLDER / _STATIC, "linked", parent)
    if form == "glibc":
        return form, parent, run.run([(_FOLDER / "matrix").resolve(), parent], library=None)
    return form, parent, forms.run_form(_FOLDER / "matrix", form, parent)


class MatrixTest(unittest.TestCase):
    """Each cell has a child of its own; in `calls` it starts one thread after the other, each for one function."""

    def test_every_child_comes_to_its_end(self) -> None:
        cells = [(form, parent) for form in (*forms.FORMS, "static", "glibc") for parent in _PARENTS]
        with ThreadPoolExecutor(4) as pool:
            for form, parent, ended in pool.map(lambda cell: _run(*cell), cells):
                with self.subTest(form=form, parent=parent):
                    self.assertEqual((ended.status, ended.stdout), (0, _LINES), str(ended))


class HandlerTest(forms.FormTest):
    """fork in a signal handler that interrupts malloc and free."""

    folder = _FOLDER

    def expect_forks(self, threads: int, forks: int, kind: str, forms_of_run: Iterable[str]) -> None:
        self.in_forms("handler_forks", threads, forks, kind, forms=forms_of_run, stdout=f"{forks} forks\n")

    def test_of_one_thread(self) -> None:
        self.expect_forks(1, 300, "ends", ["preloaded"])
        self.expect_forks(1, 40, "ends", ["guard", "guard_full", "linked"])

    def test_of_one_thread_whose_child_goes_on(self) -> None:
        self.expect_forks(1, 100, "returns", ["preloaded"])
        self.expect_forks(1, 20, "returns", ["guard", "guard_full", "linked"])

    def test_of_several_threads(self) -> None:
        """glibc hangs here: fork waits for the lock of the arena that its thread holds."""
        self.expect_forks(3, 100, "ends", ["preloaded"])
        self.expect_forks(3, 20, "ends", ["guard", "guard_full", "linked"])


class LibraryTest(forms.FormTest):
    folder = _FOLDER

    def test_fork_handlers_of_a_library_allocate(self) -> None:
        self.in_forms("allocating_handlers", stdout="forked\n")
        for program in ("allocating_handlers_deps", "allocating_handlers_archive"):
            ended = forms.run_form(_FOLDER / program, "linked")
            self.assertEqual((ended.status, ended.stdout), (0, "forked\n"), str(ended))

    def test_keys_of_a_c_library_in_another_name_space(self) -> None:
        library = (_FOLDER / "libkey.so").resolve()
        for value in ("block", "null"):
            self.in_forms("own_namespace", library, value, stdout="ok\n")


if __name__ == "__main__":
    unittest.main()
