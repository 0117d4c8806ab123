# SPDX-License-Identifier: MIT
"""The words of a page by which its profile is switched, of a process that says what it likes."""

from __future__ import annotations

import json
import os
import struct
import unittest
from unittest import mock

from tools.cli import switching
from tools.cli.command import InputError
from tools.cli.hostile_case import HostileCase, example


class SwitchTest(HostileCase):
    _TAIL_AT = 131072 - 40

    def publish_tail(self, *words: int) -> int:
        descriptor = self.publish(json.dumps(example()).encode())
        os.pwrite(descriptor, struct.pack("=4Q", *words), self._TAIL_AT)
        return descriptor

    def test_a_state_that_is_none(self) -> None:
        for profile, words in (
            (0, "its hakmem is too old"),
            (3, "a build with guard full, which has no profile"),
            (2, "its profile has no such state"),
            ((2**40 + 1) << 2 | 2, "its profile has no such state"),
            (2**64 - 4, "its profile has no such state"),
        ):
            self.publish_tail(profile, 0, 0, 0)
            with self.subTest(profile), self.assertRaisesRegex(InputError, words):
                switching.state(os.getpid())
            self.refuse(2, words, "profile", "--on", str(os.getpid()))
            self.doCleanups()

    def test_what_is_written_is_one_word(self) -> None:
        descriptor = self.publish_tail(1, 0, 0, 0)
        before = os.pread(descriptor, 131072, 0)
        with mock.patch.object(switching, "_SECONDS_MOST", 0), self.assertRaisesRegex(InputError, "does not answer"):
            switching.switch(os.getpid(), 4096)
        after = os.pread(descriptor, 131072, 0)
        at = self._TAIL_AT + 24
        self.assertEqual((before[:at], before[at + 8 :]), (after[:at], after[at + 8 :]))
        self.assertEqual(int.from_bytes(after[at : at + 8], "little") & (1 << 41) - 1, 4096)

    def test_a_word_that_another_wrote_is_waited_for_in_vain(self) -> None:
        descriptor = self.publish_tail(1, 0, 0, 0)

        def write_another(pid: int) -> bool:
            os.pwrite(descriptor, struct.pack("=Q", 7), self._TAIL_AT + 24)
            return True

        with mock.patch("os.path.exists", side_effect=write_another):
            with self.assertRaisesRegex(InputError, "another command switched its profile"):
                switching.switch(os.getpid(), 4096)

    def test_any_error_is_a_line(self) -> None:
        for refused in (1, 2**31, 2**64 - 1):
            descriptor = self.publish_tail(1, refused, 0, 0)

            def answer(found: int, text: bytes, at: int, descriptor: int = descriptor) -> int:
                os.lseek(descriptor, self._TAIL_AT + 16, os.SEEK_SET)
                os.write(descriptor, text * 2)  # switched, wanted
                return len(text)

            with self.subTest(refused), mock.patch("os.pwrite", side_effect=answer):
                with self.assertRaisesRegex(InputError, "cannot switch its profile: "):
                    switching.switch(os.getpid(), 0)
            self.doCleanups()


if __name__ == "__main__":
    unittest.main()
