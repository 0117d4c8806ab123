# SPDX-License-Identifier: MIT
"""What is written at exit comes once, and after the destructors of all libraries, wherever they stand beside hakmem."""

from __future__ import annotations

import json
import signal
import unittest
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.preload import forms
from tests.preload.life import run

_FOLDER = Path("tests/preload/descriptors")
_LATE = str((_FOLDER / "libfrees_late.so").resolve())

# What the library has from its constructor to its destructor, as a list of leaks names it.
_BLOCK = f"{3 << 20} bytes"

_WAYS = {"return": 1, "exit": 1, "thread": 1, "fork": 2, "_exit": 0, "quick_exit": 0, "abort": 0}
"""How many processes come to what is written at exit."""


@dataclass(frozen=True)
class Place:
    """Where the library that frees late is, beside hakmem."""

    form: str
    program: str = "at_end"
    arguments: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)

    def run(self, way: str, **variables: str) -> run.Ended:
        all_variables = {**self.variables, **variables}
        return forms.run_form(_FOLDER / self.program, self.form, way, *self.arguments, variables=all_variables)


def places() -> Iterator[Place]:
    for form, library in forms.LIBRARIES.items():
        yield Place(form, program="at_end_with_library")
        yield Place(form, arguments=(_LATE,))
        if library is None:
            yield Place(form, variables={"LD_PRELOAD": _LATE})
        else:
            own = str(library.resolve())
            for order in ((own, _LATE), (_LATE, own)):
                yield Place(form, variables={"LD_PRELOAD": ":".join(order)})


class AtEndTest(unittest.TestCase):
    def expect_statistics(self, ended: run.Ended, way: str) -> None:
        self.assertEqual(ended.status, -signal.SIGABRT if way == "abort" else 0, str(ended))
        live = [json.loads(line)["pools"]["huge"]["live_blocks"] for line in ended.stderr.splitlines()]
        self.assertEqual(live, [0] * _WAYS[way], str(ended))

    def test_statistics_come_once_and_after_every_librarys_destructor(self) -> None:
        for place in places():
            for way in _WAYS:
                with self.subTest(place=place, way=way):
                    self.expect_statistics(place.run(way, HAKMEM_STATS="json"), way)

    def test_statistics_of_a_static_program_come_once(self) -> None:
        for way in _WAYS:
            with self.subTest(way=way):
                self.expect_statistics(Place("linked", "at_end_static").run(way, HAKMEM_STATS="json"), way)

    def test_statistics_of_a_library_that_the_program_opens_come_once(self) -> None:
        # Assertions have more thread-local storage than an open finds room for.
        room = {"GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=16384"}
        # What is opened alone has a C library of its own, whose exit nobody calls.
        for alone in ((), ("alone",)):
            for way in _WAYS:
                with self.subTest(way=way, alone=alone):
                    ended = run.run(
                        [(_FOLDER / "at_end").resolve(), way, str(run.LIBRARY.resolve()), *alone],
                        library=None,
                        variables={"HAKMEM_STATS": "json", **room},
                    )
                    self.expect_statistics(ended, way)

    def test_a_list_of_leaks_has_nothing_that_a_destructor_frees(self) -> None:
        for place in places():
            if place.form == "guard_full":
                continue  # it has none
            with self.subTest(place=place):
                ended = place.run("return", HAKMEM_LEAKS="1")
                self.assertEqual((ended.status, ended.stderr.count("live, from")), (0, 1), str(ended))
                self.assertNotIn(_BLOCK, ended.stderr)

    def test_what_a_destructor_frees_twice_is_reported(self) -> None:
        for place in places():
            with self.subTest(place=place):
                ended = place.run("return", HAKMEM_ON_MISUSE="report", FREES_TWICE="1")
                self.assertEqual((ended.status, ended.stderr.count(" is free already")), (0, 1), str(ended))


if __name__ == "__main__":
    unittest.main()
