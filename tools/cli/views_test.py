# SPDX-License-Identifier: MIT
"""Views of a profile: sums of a tree of calls, by paths that stand here."""

from __future__ import annotations

import gzip
import json
import re
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

from tools.cli import flame, groups, leak_groups, leaks, live, pprof, samples, saved, show, views
from tools.cli.command import InputError
from tools.cli.paths import Frame
from tools.cli.profile_pb2 import Profile
from tools.cli.samples import Record, Samples
from tools.cli.symbols import NOTHING, Place, Symbol

_HOSTILE = "</script><script>alert(1)</script>"


def _path(*names: str) -> tuple[Frame, ...]:
    """Outermost first, as people write them; Frames are innermost first."""
    return tuple(Frame(1, Place("/bin/p", 1), Symbol(name, "/src/p.c", 7)) for name in reversed(names))


_WEIGHTS = [
    (100.0, _path("main", "load", "alloc")),
    (40.0, _path("main", "load")),
    (30.0, _path("main", "serve", "serve", "alloc")),
    (30.0, _path("main", "serve", "serve", "alloc")),
]


class ViewsTest(unittest.TestCase):
    def test_tree(self) -> None:
        root = views.tree(_WEIGHTS, "p")
        found = [(depth, node.name, node.value, node.own) for node, depth in root.walk()]
        self.assertEqual(
            found,
            [
                (0, "p", 200, 0),
                (1, "main", 200, 0),
                (2, "load", 140, 40),
                (3, "alloc", 100, 100),
                (2, "serve", 60, 0),
                (3, "serve", 60, 0),
                (4, "alloc", 60, 60),
            ],
        )

    def test_small_ones_are_summed_up_in_their_place(self) -> None:
        root = views.tree([*_WEIGHTS, (0.3, _path("main", "a")), (0.4, _path("main", "b", "c"))], "p")
        views.prune(root)
        found = {node.name: node.value for node, depth in root.walk() if depth == 2}
        self.assertEqual(found, {"load": 140, "serve": 60, "(2 functions of less)": 0.7})

    def test_top_counts_a_function_once_a_path(self) -> None:
        found = {line.name: (line.own, line.value) for line in views.top(_WEIGHTS)}
        self.assertEqual(found, {"alloc": (160, 160), "load": (40, 140), "serve": (0, 60), "main": (0, 200)})
        self.assertEqual([line.name for line in views.top(_WEIGHTS)], ["alloc", "load", "main", "serve"])

    def test_folded(self) -> None:
        self.assertEqual(views.folded(_WEIGHTS), ["main;load 40", "main;load;alloc 100", "main;serve;serve;alloc 60"])
        self.assertEqual(views.folded([(1.0, _path("a;b", "c d")), (0.2, _path("less"))]), ["a,b;c d 1"])

    def test_functions_of_one_name_in_two_files_are_two(self) -> None:
        other = (Frame(1, Place("/bin/p", 1), Symbol("main", "/src/q.c", 7)),)
        self.assertEqual([line.own for line in views.top([(2.0, _path("main")), (1.0, other)])], [2, 1])

    def test_what_has_no_symbol_is_named_by_its_place(self) -> None:
        names = [Frame(4096, place, NOTHING).name for place in (Place("/lib/a.so", 16), None)]
        self.assertEqual([*names, Frame(0, None, NOTHING).name], ["a.so+0x10", "0x1000", "(further calls)"])

    def test_paths_of_any_length(self) -> None:
        root = views.tree([(1.0, _path(*map(str, range(5000))))], "p")
        self.assertEqual(max(depth for _, depth in root.walk()), 5000)
        views.prune(root)
        self.assertEqual(len(views.tree_grid(root, "inuse_space", "").lines), 5000)
        self.assertIn("4999", flame.page(root, "inuse_space", "p", ""))

    def test_nothing(self) -> None:
        root = views.tree([], "p")
        self.assertEqual(views.tree_grid(root, "inuse_space", "").lines, [])
        self.assertEqual((views.folded([]), views.top([])), ([], []))
        self.assertIn('"nodes":[]', flame.page(root, "inuse_space", "p", ""))


class NameTest(unittest.TestCase):
    def test_a_long_name_loses_what_stands_deepest(self) -> None:
        text = "std::basic_string<char, std::char_traits<char> >"
        for name, shown in (
            ("f(int)", "f(int)"),
            (
                f"Index<{text}, std::pair<int, double> >::add({text})",
                "Index<std::basic_string<..>, std::pair<..> >::add(std::basic_string<..>)",
            ),
            (f"std::map<{text}, {text} >::operator[]({text} const&)", "std::map<..>::operator[](..)"),
            (f"std::operator<< <{text} >({text}&, char const*)", "std::operator<< <..>(..)"),
            (f"f({text}, {text})::{{lambda({text})#1}}::operator()(int)", "f(..)::{lambda(..)#1}::operator()(..)"),
            (f"std::operator-><{text} >({text}, {text})", "std::operator-><..>(..)"),
            (f"<Vec<fn({'u8, ' * 20}) -> Box<str>>>::new", "<Vec<fn(..) -> Box<..>>>::new"),
            (
                f"<hashbrown::RawTable<(u64, {text})>>::reserve::<hashbrown::make_hasher<u64>::{{closure#0}}>",
                "<hashbrown::RawTable<..>>::reserve::<..>",
            ),
            (f"<&dyn {'core::ops::Fn + ' * 5}Sync as core::ops::FnOnce<()>>::call_once", "<..>::call_once"),
            ("x" * 100, "x" * 70 + ".."),
            (">" * 100 + "f", "f"),
        ):
            with self.subTest(name):
                self.assertEqual(show.function(name), shown)
        self.assertLessEqual(len(show.function("<" * 100)), 72)

    def test_what_comes_with_compilers(self) -> None:
        for file, is_library in (
            ("/usr/include/c++/12/bits/move.h", True),
            ("/usr/lib/llvm-14/include/c++/v1/vector", True),
            ("/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/alloc/src/vec/mod.rs", True),
            ("/rust/deps/hashbrown-0.16.1/src/raw/mod.rs", True),
            ("/usr/src/rustc-1.63.0/library/alloc/src/alloc.rs", True),
            ("/usr/src/rustc-1.63.0/vendor/hashbrown/src/raw/mod.rs", True),
            ("/home/me/rust/deps.rs", False),
            ("/home/me/.cargo/registry/src/index.crates.io/serde-1.0/src/lib.rs", False),
        ):
            self.assertEqual(Frame(1, None, Symbol("f", file, 1)).is_library, is_library, file)

    def test_rows_of_callers(self) -> None:
        library = Frame(1, Place("/bin/p", 1), Symbol("std::move", "/usr/include/c++/12/bits/move.h", 7))
        path = (
            *_path("f"),
            library,
            library,
            *_path("g"),
            library,
            *_path("_start", "__libc_start_main", "main", "h", "h", "h"),
        )
        site = leaks.Site(live.Live(64, 1), path)
        names = [line[0].strip() for line in leaks.lines(site, 5)]
        self.assertEqual(names, ["f", "(2 of the library)", "g", "std::move", "h (3 times)", "main"])
        self.assertEqual([line[0].strip() for line in leaks.lines(site, 3)][-1], "(4 more callers)")
        self.assertEqual([line[0].strip() for line in leaks.lines(site, 0)], ["f"])


def _samples(*records: Record, rate: int = 1, dropped: int = 0) -> Samples:
    return Samples(1, rate, dropped, 0, list(records), [])


class GrowthTest(unittest.TestCase):
    def growth(self, before: Samples, now: Samples) -> Samples:
        with mock.patch.object(samples, "read", side_effect=[before, now]), mock.patch.object(time, "sleep") as slept:
            found = samples.growth(1, 60)
        slept.assert_called_once_with(60)
        return found

    def test_is_what_came_and_went_between(self) -> None:
        before = _samples(Record(1, (2,), 64, 10, 4, 1.0), Record(3, (), 16, 5, 5, 1.0), dropped=1)
        now = _samples(
            Record(1, (2,), 64, 13, 6, 1.0), Record(3, (), 16, 5, 1, 1.0), Record(5, (6,), 8, 1, 1, 1.0), dropped=4
        )
        found = self.growth(before, now)
        self.assertEqual(
            [(one.site, one.allocations, one.live) for one in found.records], [(1, 3, 2), (3, 0, -4), (5, 1, 1)]
        )
        self.assertEqual((found.seconds, found.dropped), (60, 3))
        self.assertEqual(
            {path[0].address: amount for amount, path in views.weighted(found, "inuse_space")}, {1: 128, 5: 8}
        )

    def test_sizes_of_one_path_are_added_before_what_shrank_is_left_out(self) -> None:
        before = _samples(Record(1, (), 64, 2, 2, 1.0), Record(1, (), 16, 0, 0, 1.0))
        now = _samples(Record(1, (), 64, 2, 1, 1.0), Record(1, (), 16, 3, 3, 1.0))
        self.assertEqual(list(views.weighted(self.growth(before, now), "inuse_space")), [])
        ((amount, _),) = views.weighted(self.growth(before, now), "inuse_objects")
        self.assertEqual(amount, 2)

    def test_more_than_in_a_base(self) -> None:
        base = [(90.0, _path("main", "load", "alloc")), (50.0, _path("main", "load"))]
        found = views.grown(_WEIGHTS, base)
        self.assertEqual(views.folded(found), ["main;load;alloc 10", "main;serve;serve;alloc 60"])

    def test_another_profile_is_refused(self) -> None:
        one, other = Record(1, (), 64, 2, 2, 1.0), Record(9, (), 64, 2, 2, 1.0)
        for before, now in (
            (_samples(one), _samples(other)),
            (_samples(one), _samples()),
            (_samples(one), _samples(one, rate=2)),
        ):
            with self.assertRaisesRegex(InputError, "has become another program"):
                self.growth(before, now)

    def test_fewer_live_blocks_than_none_are_written_for_pprof(self) -> None:
        found = self.growth(_samples(Record(1, (), 64, 2, 2, 1.0)), _samples(Record(1, (), 64, 2, 0, 1.0)))
        profile = Profile()
        profile.ParseFromString(gzip.decompress(pprof.encode(found, with_symbols=False)))
        self.assertEqual([list(one.value) for one in profile.sample], [[0, 0, -2, -128]])


class GroupsTest(unittest.TestCase):
    _FOUND = _samples(
        Record(1, (2,), 64, 3, 3, 1.0, thread=2),
        Record(1, (2,), 64, 9, 4, 1.0, thread=3),
        Record(5, (2,), 1152, 1, 1, 2.0, thread=3),
        Record(5, (2,), 3 << 20, 1, 1, 1.0),
        Record(5, (2,), 5 << 20, 2, 0, 1.0, thread=3),
    )

    def rows(self, by: str) -> list[tuple[str, float, float, int]]:
        with mock.patch.object(groups, "_thread_names", return_value={3: "worker"}):
            found = leak_groups.gather(self._FOUND, groups.Groups(self._FOUND, by))
        return [(one.name, one.live.blocks, one.live.bytes, one.call) for one in found]

    def test_by_class(self) -> None:
        self.assertEqual(
            self.rows("class"),
            [("huge blocks", 1, 3 << 20, 5), ("blocks of 1,152 B", 2, 2304, 5), ("blocks of 64 B", 7, 448, 1)],
        )

    def test_by_thread(self) -> None:
        self.assertEqual(
            self.rows("thread"),
            [("other threads", 1, 3 << 20, 5), ("thread 3 (worker)", 6, 2560, 5), ("thread 2", 3, 192, 1)],
        )

    def test_outermost_in_a_view(self) -> None:
        by = groups.Groups(self._FOUND, "class")
        lines = views.folded(views.weighted(self._FOUND, "inuse_objects", by))
        self.assertEqual(lines, ["blocks of 1,152 B;0x2;0x5 2", "blocks of 64 B;0x2;0x1 7", "huge blocks;0x2;0x5 1"])
        listed = views.top(views.weighted(self._FOUND, "inuse_objects", by, with_paths=False))
        self.assertEqual(
            [(one.name, one.own) for one in listed],
            [("blocks of 64 B", 7), ("blocks of 1,152 B", 2), ("huge blocks", 1)],
        )

    def test_a_thread_comes_back_from_a_file(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "p.pb.gz"
            path.write_bytes(pprof.encode(self._FOUND, with_symbols=False))
            self.assertEqual([one.thread for one in saved.read(path).records], [2, 3, 3, 0, 3])


class FlameTest(unittest.TestCase):
    def data(self, page: str) -> dict[str, list[list[int]]]:
        found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page)
        assert found is not None
        return dict(json.loads(found[1]))

    def test_holds_the_tree(self) -> None:
        found = self.data(flame.page(views.tree(_WEIGHTS, "p"), "inuse_space", "p (1)", "caption"))
        texts = found["texts"]
        nodes = [(depth, texts[name], texts[place], value) for depth, name, place, value in found["nodes"]]
        self.assertEqual(nodes[:3], [(0, "p", "", 200), (1, "main", "/src/p.c", 200), (2, "load", "/src/p.c", 140)])
        self.assertEqual(len(nodes), 7)

    def test_needs_nothing_from_elsewhere(self) -> None:
        page = flame.page(views.tree(_WEIGHTS, "p"), "inuse_space", "p (1)", "caption")
        self.assertNotRegex(page, r"(?i)https?:|\bsrc=|\bhref=|@import|url\(|@@")
        self.assertEqual(page.count("<script"), 2)

    def test_names_of_the_process_are_text(self) -> None:
        root = views.tree([(1.0, _path(_HOSTILE, "@@SCRIPT@@"))], _HOSTILE)
        page = flame.page(root, "inuse_space", f"{_HOSTILE} (1)", _HOSTILE)
        self.assertNotIn(_HOSTILE, page)
        self.assertEqual(page.count("<script"), 2)
        self.assertIn(_HOSTILE, self.data(page)["texts"])
        self.assertEqual(page.count("treeOf(data.nodes)"), 1)


if __name__ == "__main__":
    unittest.main()
