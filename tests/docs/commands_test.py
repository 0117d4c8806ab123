# SPDX-License-Identifier: MIT
"""Each line `hakmem COMMAND ...` of the documents is one that the command's own parser takes, and each option stands in one."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import shlex
import tempfile
import unittest
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from tests.docs import documents
from tools.cli import main

_LINE = re.compile(r"^(?:[A-Z_]+=\S+ )*(?:tools/|\$ )?hakmem (?!\()([a-z-].*)$")
_PIPE = re.compile(r"\s(?:\||&&|>|2>|;|<)\s*.*$")

# What stands for a value of the reader's.
_VALUES = {"PID": "4711", "TRACE": __file__, "ADDRESS": "0x7f0000000000", "SECONDS": "2", "N": "3"}


def _arguments(line: str) -> list[str]:
    words = shlex.split(_PIPE.sub("", line).replace("…", ""))
    return [_VALUES.get(word, word) for word in words]


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    """The longest name of each option of a command, and of those within it."""
    for action in parser._actions:  # pylint: disable=protected-access
        if isinstance(action.choices, dict):
            for inner in action.choices.values():
                yield from _options(inner)
        if action.option_strings:
            yield max(action.option_strings, key=len)


class Commands(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        patch = mock.patch.dict(os.environ, BUILD_WORKING_DIRECTORY=folder.name)
        patch.start()
        self.addCleanup(patch.stop)

    def make_files(self, arguments: list[str]) -> None:
        """The profiles that a line reads, which a command wants to be there."""
        for argument in arguments:
            name = argument.rpartition("=")[2]
            if name.endswith(".gz"):
                (self.folder / name).touch()

    def test_the_parser_takes_every_line(self) -> None:
        seen = set()
        for name, text in documents.documents(documents.checkout()).items():
            if documents.is_history(name):
                continue
            for line in documents.command_lines(text):
                found = _LINE.match(line)
                if found is None:
                    continue
                with self.subTest(document=name, line=line):
                    said = io.StringIO()
                    try:
                        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
                            arguments = _arguments(found[1])
                            seen.add(arguments[0])
                            self.make_files(arguments)
                            # A command that is named alone, in a sentence, may want arguments.
                            main.parser().parse_args(arguments if arguments[1:] else [*arguments, "--help"])
                    except SystemExit as end:
                        self.assertEqual(0, end.code, said.getvalue())
        self.assertLessEqual({"run", "top", "stat", "leaks", "profile"}, seen)

    def test_a_document_names_every_option(self) -> None:
        known = documents.documents(documents.checkout())
        text = "\n".join(text for name, text in known.items() if not documents.is_history(name))
        for option in sorted({*_options(main.parser())} - {"--help"}):
            with self.subTest(option):
                self.assertRegex(text, rf"{re.escape(option)}\b")


if __name__ == "__main__":
    unittest.main()
