# SPDX-License-Identifier: MIT
"""The completions of bash and zsh, as the shells themselves complete with them."""

from __future__ import annotations

import mmap
import os
import pty
import re
import select
import subprocess
import sys
import time
import unittest
from pathlib import Path

# Run as a plain script, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.dist import consumer  # noqa: E402

ARCHIVE = sys.argv[1]

_SECONDS = 300

_COMMANDS = {"run", "stat", "top", "record", "replay", "trace"}


class BashTest(unittest.TestCase):
    script: Path
    folder: Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.script = consumer.unpacked(ARCHIVE).absolute() / "share/bash-completion/completions/hakmem"
        cls.folder = consumer.scratch_folder()
        (cls.folder / "some.trace").write_text("")

    def complete(self, *words: str) -> set[str]:
        """What bash offers for the last of the words, which the shell has taken apart at each =."""
        quoted = " ".join(f"'{word}'" for word in ("hakmem", *words))
        script = (
            f"source '{self.script}'; COMP_WORDS=({quoted}); COMP_CWORD={len(words)}; _hakmem;"
            "printf '%s\\n' \"${COMPREPLY[@]}\""
        )
        said = subprocess.run(
            ["bash", "--norc", "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
            cwd=self.folder,
        ).stdout
        return set(said.split())

    def test_commands(self) -> None:
        self.assertLessEqual(_COMMANDS | {"--help", "--version"}, self.complete(""))
        self.assertEqual(self.complete("sta"), {"stat"})
        self.assertEqual(self.complete("nothing-like-this"), set())

    def test_options_of_the_command(self) -> None:
        self.assertLessEqual({"--guard", "--stats=", "--profile=", "--leaks", "--publish"}, self.complete("run", "--"))
        self.assertEqual(self.complete("top", "--int"), {"--interval="})
        self.assertEqual(self.complete("trace", "in"), {"info"})
        self.assertEqual(self.complete("trace", "info", "--for"), {"--format="})

    def test_values(self) -> None:
        self.assertEqual(self.complete("run", "--stats", "="), {"text", "json", "prometheus"})
        self.assertEqual(self.complete("run", "--stats", "=", "p"), {"prometheus"})
        self.assertEqual(self.complete("stat", "--format", "=", "j"), {"json"})
        self.assertEqual(self.complete("run", "--profile", "=", "some"), {"some.trace"})

    def test_operands(self) -> None:
        self.assertEqual(self.complete("replay", "som"), {"some.trace"})
        self.assertIn("sort", self.complete("run", "--quiet", "sor"))
        self.assertEqual(self.complete("run", "sort", "som"), {"some.trace"})
        # Behind the program's name options are the program's.
        self.assertNotIn("--guard", self.complete("run", "sort", "--"))

    def test_processes_that_publish_or_have_a_profile(self) -> None:
        for label in ("hakmem", "hakmem-profile"):
            self.assertNotIn(str(os.getpid()), self.complete("stat", ""))
            descriptor = os.memfd_create(label)
            self.addCleanup(os.close, descriptor)
            os.ftruncate(descriptor, 4096)
            with mmap.mmap(descriptor, 4096):
                for command in ("stat", "top", "profile", "leaks"):
                    self.assertIn(str(os.getpid()), self.complete(command, ""), label)
        self.assertEqual(self.complete("profile", "some"), {"some.trace"})


class ZshTest(unittest.TestCase):
    """Types into an interactive zsh."""

    def setUp(self) -> None:
        folder = consumer.unpacked(ARCHIVE).absolute() / "share/zsh/vendor-completions"
        pid, self.terminal = pty.fork()
        if pid == 0:
            os.execvpe("zsh", ["zsh", "-f", "-i"], {**os.environ, "TERM": "dumb", "COLUMNS": "200"})
        self.addCleanup(os.waitpid, pid, 0)
        self.addCleanup(os.close, self.terminal)
        self.addCleanup(self.type, "\x15exit\n")
        self.type(
            f"PS1='>> '; fpath=('{folder}' $fpath); autoload -U compinit;"
            " compinit -u -D; zstyle ':completion:*' verbose no; echo rea''dy\n"
        )
        self.assertTrue(self.reads("ready\r\n", _SECONDS))

    def type(self, text: str) -> None:
        os.write(self.terminal, text.encode())

    def reads(self, pattern: str, seconds: float) -> bool:
        """Whether the shell shows that within so long."""
        text, deadline = "", time.monotonic() + seconds
        while not re.search(pattern, text) and time.monotonic() < deadline:
            if select.select([self.terminal], [], [], 0.1)[0]:
                text += os.read(self.terminal, 65536).decode("utf-8", "replace").replace("\a", "")
        return bool(re.search(pattern, text))

    def completes(self, typed: str, completed: str) -> bool:
        """What is typed while the shell draws its prompt may be lost: then it is typed again."""
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            self.type("\x15" + typed)
            if self.reads(re.escape(typed), 2):
                self.type("\t")
                if self.reads(re.escape(completed), 3):
                    return True
        return False

    def test_completes(self) -> None:
        for typed, completed in (
            ("hakmem sta", "t "),
            ("hakmem run --pu", "blish "),
            ("hakmem run --stats=pro", "metheus "),
            ("hakmem replay --pe", "er="),
            ("hakmem trace in", "fo "),
            ("hakmem trace info --for", "mat="),
        ):
            with self.subTest(typed):
                self.assertTrue(self.completes(typed, completed))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
