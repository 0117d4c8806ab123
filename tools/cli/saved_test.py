# SPDX-License-Identifier: MIT
"""Profiles for pprof are read as they were written, and what is none is refused."""

from __future__ import annotations

import gzip
import os
import random
import sys
import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from tools.cli import leaks, pprof, samples, saved, symbols, views
from tools.cli.command import InputError
from tools.cli.profile_pb2 import Profile
from tools.cli.samples import VALUES, End, Mapping, Record, Samples
from tools.cli.symbols import Symbol

_SEED = 7
_DAMAGES = 2000

_FILE = str(Path(sys.executable).resolve())
_MAPPINGS = [
    Mapping(0x1000, 0x2000, 0, False, _FILE, 0x1000),
    Mapping(0x2000, 0x9000, 0x1000, True, _FILE, 0x1000),
]
_RECORDS = [
    Record(0x2100, (0x2200, 0x2300), 64, 10, 4, 1.0),
    Record(0x2100, (), 4096, 3, 0, 2.5),
    Record(0x7FFF0000, (0x2300,), 16, 1, 1, 1.0),
]


class SavedCase(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "profile.pb.gz"

    def write(self, change: Callable[[Profile], object] = lambda profile: None) -> None:
        """A profile with what was changed in it."""
        profile = Profile()
        found = Samples(os.getpid(), 4096, 0, 0, _RECORDS, _MAPPINGS)
        profile.ParseFromString(gzip.decompress(pprof.encode(found, with_symbols=False)))
        change(profile)
        self.path.write_bytes(gzip.compress(profile.SerializeToString()))

    def refuse(self, words: str) -> None:
        with self.assertRaisesRegex(InputError, words):
            saved.read(self.path)


class ReadTest(SavedCase):
    def test_all_that_views_need_comes_back(self) -> None:
        self.write()
        found = saved.read(self.path)
        self.assertEqual([one.path for one in found.records], [one.path for one in _RECORDS])
        for value in VALUES.values():
            for one, wanted in zip(found.records, _RECORDS):
                self.assertLessEqual(abs(value(one) - value(wanted)), 1)  # bytes are whole
        mapping = found.mapping(0x2100)
        assert mapping is not None
        self.assertEqual((mapping.path, mapping.base, found.rate), (_FILE, 0x1000, 4096))
        self.assertIsNone(found.mapping(0x1100))  # no code

    def test_nothing_grew_since_the_same_samples(self) -> None:
        records = [
            Record(0x2100 + place, (), 204800 + place, 2, 2, 1.0366, End.CUT, thread=place) for place in range(50)
        ]
        found = Samples(os.getpid(), 65536, 0, 0, records, _MAPPINGS)
        self.path.write_bytes(pprof.encode(found, with_symbols=False))
        for depth in (None, 0):
            since = leaks.measure_since(found, self.path, 100, depth)
            self.assertEqual((since.live.bytes, since.sites), (0, []))
        kept = list(views.weighted(saved.as_saved(found), "inuse_space"))
        self.assertEqual(list(views.grown(kept, list(views.weighted(saved.read(self.path), "inuse_space")))), [])

    def test_functions_that_the_profile_has_are_taken(self) -> None:
        def change(profile: Profile) -> None:
            profile.string_table.extend([b"f", b"/src/f.c", b"g"])
            last = len(profile.string_table)
            profile.function.add(id=1, name=last - 3, filename=last - 2)
            profile.function.add(id=2, name=last - 1)
            profile.location[0].line.add(function_id=1, line=12)
            profile.location[0].line.add(function_id=2, line=3)
            profile.location[0].line.add(function_id=99)

        self.write(change)
        found = saved.read(self.path)
        self.assertEqual(
            found.known, {0x2100: (Symbol("f", "/src/f.c", 12), Symbol("g", None, None), Symbol(None, None, None))}
        )
        paths = {path[0].name for _, path in views.weighted(found, "alloc_space")}
        self.assertEqual(paths, {"f", "0x7fff0000"})

    def test_a_file_of_another_build_has_no_names(self) -> None:
        self.write()
        with mock.patch.object(symbols, "build_id", return_value="00ff"):
            found = saved.read(self.path)
        self.assertEqual({one.path for one in found.mappings}, {""})

    def test_without_sizes_they_are_those_of_the_mean(self) -> None:
        def change(profile: Profile) -> None:
            for sample in profile.sample:
                del sample.label[:]

        self.write(change)
        self.assertEqual([one.size for one in saved.read(self.path).records][:2], [64, 3840])


class RefusalTest(SavedCase):
    def test_what_is_no_profile(self) -> None:
        for text in (b"", b"text", gzip.compress(b"text")[:-4], gzip.compress(b"\xff" * 50)):
            self.path.write_bytes(text)
            self.refuse("not compressed by gzip, or holds something else|it has no alloc_objects")

    def test_a_process_that_may_not_be_looked_into(self) -> None:
        for user, words in ((0, "root has no right to trace here"), (1000, "is another user's")):
            with mock.patch.object(os, "geteuid", return_value=user):
                self.assertIn(words, str(samples.forbidden(1)))

    def test_one_for_google_pprof(self) -> None:
        self.path.write_bytes(pprof.encode_text(Samples(os.getpid(), 4096, 0, 0, _RECORDS, _MAPPINGS)))
        self.refuse("a text for google-pprof; a profile that is written to FILE.pb.gz can be read here")

    def test_parts_that_do_not_fit(self) -> None:
        changes: tuple[tuple[str, Callable[[Profile], object]], ...] = (
            ("has no inuse_space", lambda profile: profile.sample_type.pop()),
            ("names text 1000 of", lambda profile: setattr(profile.mapping[0], "filename", 1000)),
            ("names text -1 of", lambda profile: setattr(profile.sample_type[0], "type", -1)),
            ("names location 77", lambda profile: profile.sample[0].location_id.append(77)),
            ("other values", lambda profile: profile.sample[0].value.pop()),
            ("has no place", lambda profile: profile.sample[0].ClearField("location_id")),
        )
        for words, change in changes:
            self.write(change)
            with self.subTest(words):
                self.refuse(words)

    def test_one_that_unpacks_to_more_than_fits(self) -> None:
        self.write()
        with mock.patch.object(saved, "_BYTES_MOST", 100):
            self.refuse("it holds more than")

    def test_damaged_ones_are_read_or_refused(self) -> None:
        self.write()
        text = gzip.decompress(self.path.read_bytes())
        chosen = random.Random(_SEED)
        refused = 0
        for _ in range(_DAMAGES):
            damaged = bytearray(text)
            for _ in range(chosen.randint(1, 4)):
                damaged[chosen.randrange(len(damaged))] = chosen.randrange(256)
            self.path.write_bytes(gzip.compress(bytes(damaged), compresslevel=1))
            try:
                list(views.weighted(saved.read(self.path), "inuse_space"))
            except InputError:
                refused += 1
        self.assertGreater(refused, 0)
        self.assertLess(refused, _DAMAGES)


if __name__ == "__main__":
    unittest.main()
