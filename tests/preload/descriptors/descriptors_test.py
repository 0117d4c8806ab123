# SPDX-License-Identifier: MIT
"""What the allocator writes, and where: never into a file of the program's, never with a signal, never as a point where a
thread is cancelled, never through functions that the program has replaced."""

from __future__ import annotations

import os
import stat
import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path

from tests.preload import forms
from tests.preload.forms import GUARDS, FormTest
from tests.preload.life import run

_FOLDER = Path("tests/preload/descriptors")
_AT_EXIT = (
    {"HAKMEM_STATS": "text"},
    {"HAKMEM_LEAKS": "1"},
    {"HAKMEM_STATS": "text:/none/none"},
    {"HAKMEM_PROFILE": "/none/none", "HAKMEM_PROFILE_RATE": "1"},
)

# Full guard builds take no samples.
_SAMPLING = tuple(form for form in forms.FORMS if form != "guard_full")


class DescriptorCase(FormTest):
    folder = _FOLDER

    def setUp(self) -> None:
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.place = Path(place.name)


class OwnFilesTest(DescriptorCase):
    def _run(
        self,
        *more: str,
        variables: dict[str, str],
        check: Callable[[run.Ended], object] = lambda ended: None,
        of: tuple[str, ...] = _SAMPLING,
    ) -> None:
        def look(ended: run.Ended) -> None:
            foreign = [one.name for one in self.place.iterdir() if one.read_text() != "data\n"]
            self.assertEqual((foreign, len(list(self.place.iterdir()))), ([], 300))
            check(ended)

        with self.subTest(variables):
            self.in_forms("own_files", self.place, *more, stderr=None, variables=variables, check=look, forms=of)

    def test_files_in_the_place_of_ours_stay_as_they_are(self) -> None:
        for variables in _AT_EXIT:
            self._run(variables=variables, check=lambda ended: self.assertIn("hakmem", ended.stderr))

    def test_a_file_in_the_place_of_standard_error_stays_as_it_is(self) -> None:
        for variables in _AT_EXIT:
            self._run("2", variables=variables, check=lambda ended: self.assertEqual(ended.stderr, ""))

    def _warned_while_it_runs(self, what: str, warning: str, variables: dict[str, str], of: tuple[str, ...]) -> None:
        """Once where standard error is what it was, else nowhere."""
        self.place.chmod(0o777)  # for who is no longer root
        for first, times in (("3", 1), ("2", 0)):
            self._run(
                first,
                what,
                variables=variables,
                check=lambda ended: self.assertRegex(ended.stderr, rf"\A(hakmem: warning: {warning}.*\n){{{times}}}\Z"),
                of=of,
            )

    def test_a_warning_of_a_program_that_runs_goes_into_no_file(self) -> None:
        self._warned_while_it_runs(
            "no_thread",
            "HAKMEM_PUBLISH: nothing is published until a thread can be started",
            {"HAKMEM_PUBLISH": "1"},
            forms.FORMS,
        )

    def test_a_warning_of_guard_full_goes_into_no_file(self) -> None:
        self._warned_while_it_runs(
            "slabs",
            "HAKMEM_GUARD=pages: its share of the system's mappings is used up",
            {"HAKMEM_GUARD": "pages"},
            ("guard_full",),
        )


class CancellationTest(DescriptorCase):
    def test_no_call_is_a_cancellation_point(self) -> None:
        for what, words in (("misuse", "double free"), ("stats", "Arena 0:"), ("every", ""), ("nothing", "")):
            self.in_forms(
                "cancelled_calls",
                what,
                variables={"HAKMEM_ON_MISUSE": "report"},
                stdout="went on to its end\n",
                stderr=None,
                check=lambda ended: self.assertIn(words, ended.stderr),
            )


class SignalTest(DescriptorCase):
    def _under(self, what: str, warnings: int, variables: dict[str, str], of: tuple[str, ...] = _SAMPLING) -> None:
        with self.subTest(variables):
            self.in_forms(
                "no_signals",
                what,
                variables=variables,
                forms=of,
                stderr=None,
                stdout=f"status 0, signal 0, warnings {warnings}\n",
            )

    def test_files_that_may_not_grow(self) -> None:
        for name, value in (
            ("HAKMEM_PROFILE", f"{self.place}/profile.heap"),
            ("HAKMEM_LEAKS", "1"),
            ("HAKMEM_STATS", f"text:{self.place}/stats"),
            ("HAKMEM_PUBLISH", "1"),
        ):
            self._under("size", 1, {name: value})

    def test_standard_error_that_nobody_reads(self) -> None:
        self._under("reader", 0, {"HAKMEM_ON_MISUSE": "report", "HAKMEM_STATS": "json"}, forms.FORMS)


class ReplacedCallsTest(DescriptorCase):
    def test_functions_that_allocate(self) -> None:
        for variables in (
            {"HAKMEM_LEAKS": "1"},
            {"HAKMEM_PUBLISH": "1"},
            {"HAKMEM_STATS": f"json:{self.place}/%p"},
            {"HAKMEM_PROFILE": f"{self.place}/%p.heap", "HAKMEM_PROFILE_RATE": "1"},
        ):
            with self.subTest(variables):
                self.in_forms("replaced_calls", variables=variables, stdout="end\n", stderr=None)


class OutputTest(DescriptorCase):
    """Files are made with mode 0600, through no link, and nothing but a regular file of the user is written."""

    def _refused(self, path: Path, words: str, forms_of: tuple[str, ...] = ("preloaded", *GUARDS[:1])) -> None:
        for variables in ({"HAKMEM_STATS": f"json:{path}"}, {"HAKMEM_PROFILE": str(path), "HAKMEM_PROFILE_RATE": "1"}):
            self.in_forms(
                "cancelled_calls",
                "nothing",
                variables=variables,
                stderr=None,
                forms=forms_of,
                check=lambda ended: self.assertRegex(ended.stderr, f"hakmem: warning: .*; .*{words}\n$"),
            )

    def test_a_new_file_is_the_users_only(self) -> None:
        self.in_forms(
            "cancelled_calls",
            variables={"HAKMEM_STATS": f"json:{self.place}/stats"},
            before_exec=lambda: os.umask(0) and None,
        )
        self.assertEqual(stat.S_IMODE((self.place / "stats").stat().st_mode), 0o600)

    def test_a_link_is_not_followed(self) -> None:
        (self.place / "precious").write_text("text")
        (self.place / "link").symlink_to("precious")
        self._refused(self.place / "link", "a symbolic link, which is not followed")
        self.assertEqual((self.place / "precious").read_text(), "text")

    def test_a_file_of_two_names_is_left_alone(self) -> None:
        (self.place / "precious").write_text("text")
        os.link(self.place / "precious", self.place / "name")
        self._refused(self.place / "name", r"another name \(a hard link\)")
        self.assertEqual((self.place / "precious").read_text(), "text")

    def test_a_fifo_is_not_waited_for(self) -> None:
        os.mkfifo(self.place / "fifo")
        self._refused(self.place / "fifo", "not a regular file")

    def test_a_descriptor_is_no_path(self) -> None:
        for path in ("/dev/stderr", "/proc/self/fd/1"):
            self._refused(Path(path), "a symbolic link, which is not followed")

    @unittest.skipUnless(os.geteuid() == 0, "makes a file of another user")
    def test_another_users_file_is_left_alone(self) -> None:
        (self.place / "precious").write_text("text")
        os.chown(self.place / "precious", 65534, 65534)
        self._refused(self.place / "precious", "another user's file")
        self.assertEqual((self.place / "precious").read_text(), "text")


if __name__ == "__main__":
    unittest.main()
