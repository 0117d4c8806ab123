# SPDX-License-Identifier: MIT
"""hakmem trace time, plot and dhat: what they say of traces whose every event is known, and of a recorded program."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import unittest
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tools.measure import recording, trace_file
from tools.measure.process import clean_environment
from tools.measure.trace_file import Chunk, Event, Kind, Type, varints
from tools.cli import heap_plot, symbols, trace_dhat, trace_time
from tools.cli.symbols import Symbol
from tools.cli.trace_paths import Counts, Paths

_STEPS = Path(__file__).absolute().parents[2] / "bench/trace/steps"

# Sites 3 and 4 are the same call by two callers.
_ADDRESSES = {1: 0x101, 2: 0x201, 3: 0x301, 4: 0x301}
_CALLERS = {1: 0, 2: 1, 3: 1, 4: 2}

_EVENTS = [
    Event(1, Kind.MALLOC, size=1000, site=3),
    Event(2, Kind.MALLOC, size=50, site=4),
    Event(3, Kind.FREE, block=2),
    Event(4, Kind.MALLOC, size=3000, site=4),
    Event(5, Kind.FREE, block=1),
    Event(6, Kind.REALLOC, block=4),
    Event(7, Kind.RESULT_BLOCK, size=100, site=3),
    Event(8, Kind.MALLOC, size=7),
]
_SITE_3 = Counts(2, 1100, 0, 1, 4, 1, 1, 1000, 1, 1000, 1, 100)
_SITE_4 = Counts(2, 3050, 1, 2, 1 + 3, 0, 1, 3000, 1, 3000, 0, 0)


def _trace(events: list[Event], callers: bool = True) -> bytes:
    sites = b"".join(varints(1, address) for address in _ADDRESSES.values())
    chunks = [
        trace_file.meta(program=b"/none/a <program>"),
        Chunk(Type.MODULES, varints(1, 1) + trace_file.string(b"")),
        Chunk(Type.SITES, varints(1, len(_ADDRESSES)) + sites),
        *([Chunk(Type.CALLERS, varints(1, len(_CALLERS), *_CALLERS.values()))] if callers else []),
        *([trace_file.encode_events(events, 4_000_000_000)] if events else []),
        trace_file.end(len(events)),
    ]
    return trace_file.encode(chunks)


class TraceCase(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "a.trace"

    def paths(self, events: list[Event], callers: bool = True) -> Paths:
        self.path.write_bytes(_trace(events, callers))
        return Paths(self.path)


class CountsTest(TraceCase):
    def test_each_path_has_its_own(self) -> None:
        found = {path.site: path for path in self.paths(_EVENTS).all()}
        self.assertEqual((found[3].counts, found[4].counts), (_SITE_3, _SITE_4))
        addresses = {site: [frame.address for frame in path.frames] for site, path in found.items() if site}
        self.assertEqual(addresses, {3: [0x300, 0x100], 4: [0x300, 0x200, 0x100]})
        self.assertEqual([frame.name for frame in found[0].frames], ["(no room for more paths)"])

    def test_the_peak_is_when_most_bytes_were_live(self) -> None:
        paths = self.paths(_EVENTS)
        self.assertEqual((paths.peak_event, paths.peak_bytes, paths.peak_blocks), (4, 4000, 2))
        self.assertEqual([path.site for path in paths.most(9, "peak_bytes")], [4, 3])
        self.assertEqual(paths.seconds_at(4), 2.0)
        self.assertEqual((paths.points[3].bytes, paths.points[3].of), (4000, (3000, 1000, 0)))
        self.assertEqual((paths.points[7].bytes, paths.points[7].of), (107, (0, 100, 7)))

    def test_a_point_is_the_most_of_its_events(self) -> None:
        events = [
            event
            for number in range(1, 2401, 2)
            for event in (
                Event(number, Kind.MALLOC, size=number, site=3),
                Event(number + 1, Kind.FREE, block=number),
            )
        ]
        points = self.paths(events).points
        self.assertEqual([point.event for point in points], list(range(3, 2401, 4)))
        self.assertTrue(all(point.bytes == point.event for point in points))

    def test_lifetimes_are_counted_by_powers_of_two(self) -> None:
        self.assertEqual(self.paths(_EVENTS).ages[:4], [1, 1, 1, 0])

    def test_without_callers_a_path_is_the_call(self) -> None:
        paths = self.paths(_EVENTS, callers=False)
        self.assertEqual([len(path.frames) for path in paths.all()], [1, 1, 1])
        self.assertIn("hakmem record --frames=32", trace_time.caption(paths))

    def test_a_trace_without_events(self) -> None:
        paths = self.paths([])
        self.assertEqual(trace_time.as_json(paths, 5)["total"]["blocks"], 0)
        self.assertTrue(trace_time.grids(paths, 5, 3))
        ElementTree.fromstring(heap_plot.svg(paths))
        self.assertEqual(json.loads(trace_dhat.encode(paths))["pps"], [])


class DhatTest(TraceCase):
    """What dh_view.js of valgrind 3.19 refuses to read without: checkFields and "repeated location" in it."""

    def encode(self, events: list[Event], callers: bool = True) -> dict[str, Any]:
        found = json.loads(trace_dhat.encode(self.paths(events, callers)))
        assert isinstance(found, dict)
        needed = "dhatFileVersion mode verb bklt bkacc tu Mtu cmd pid te pps ftbl tg tuth"
        self.assertLessEqual(set(needed.split()), set(found))
        self.assertEqual((found["dhatFileVersion"], found["ftbl"][0]), (2, "[root]"))
        self.assertEqual(len(set(found["ftbl"])), len(found["ftbl"]))
        for point in found["pps"]:
            self.assertEqual(set(point), set("tb tbk tl mb mbk gb gbk eb ebk fs".split()))
            self.assertTrue(point["fs"])
            self.assertTrue(all(0 < frame < len(found["ftbl"]) for frame in point["fs"]))
        self.assertEqual(len({tuple(point["fs"]) for point in found["pps"]}), len(found["pps"]))
        return found

    def test_a_path_has_its_counts(self) -> None:
        found = self.encode(_EVENTS)
        self.assertEqual((found["tg"], found["te"], found["cmd"]), (4, 8, "/none/a <program>"))
        third = next(point for point in found["pps"] if len(point["fs"]) == 2)
        names = [found["ftbl"][frame] for frame in third["fs"]]
        self.assertEqual(names, ["a <program>+0x300", "a <program>+0x100"])
        values = {name: value for name, value in third.items() if name != "fs"}
        expected = {"tb": 1100, "tbk": 2, "tl": 5, "mb": 1000, "mbk": 1, "gb": 1000, "gbk": 1, "eb": 100, "ebk": 1}
        self.assertEqual(values, expected)

    def test_paths_that_read_alike_are_one(self) -> None:
        found = self.encode(_EVENTS, callers=False)
        self.assertEqual(sorted(point["tb"] for point in found["pps"]), [7, _SITE_3.bytes + _SITE_4.bytes])


class PlotTest(TraceCase):
    def test_is_one_sound_file_with_an_area_each(self) -> None:
        text = heap_plot.svg(self.paths(_EVENTS))
        root = ElementTree.fromstring(text)
        areas = [one for one in root.iter() if one.tag.endswith("polygon")]
        self.assertEqual([one.get("class") for one in areas], ["c0", "c1", "rest"])
        # Up to event 4, where the first has 3,000 and the second 1,000 above it; the grid ends at 4,096.
        self.assertIn("4,1096", areas[0].attrib["points"].split())
        self.assertIn("4,96", areas[1].attrib["points"].split())
        self.assertIn("prefers-color-scheme: dark", text)
        self.assertNotRegex(text, r"(href|src|url\()")
        self.assertIn("a &lt;program&gt;: live bytes by path", text)


class RecordedTest(TraceCase):
    def test_paths_lead_to_main(self) -> None:
        settings = recording.Settings(self.path, frames=32)
        environment = clean_environment(os.environ)
        self.assertEqual(recording.run([str(_STEPS), "threads"], settings, env=environment), 0)
        paths = Paths(self.path)
        names = {tuple(frame.name for frame in path.frames) for path in paths.all()}
        self.assertTrue(paths.has_callers)
        self.assertTrue(any("main" in path for path in names), names)
        # The callers of a thread's block are that thread's own.
        self.assertTrue(any(len(path) > 1 and "main" not in path for path in names), names)

    def test_a_program_in_a_folder_whose_name_is_not_ascii(self) -> None:
        for name in ("für", "漢字", "caf\udce9"):
            folder = self.path.parent / name
            folder.mkdir()
            program = str(shutil.copy(_STEPS, folder))
            settings = recording.Settings(self.path, frames=32)
            environment = clean_environment(os.environ)
            with self.subTest(os.fsencode(name)):
                self.assertEqual(recording.run([program, "basic"], settings, env=environment), 0)
                self.assertEqual(recording.info(self.path)["arguments"], [program, "basic"])
                names = {frame.name for path in Paths(self.path).all() for frame in path.frames}
                self.assertIn("main", names)
                heap_plot.svg(Paths(self.path)).encode("utf-8")

    def test_no_more_callers_than_asked_for(self) -> None:
        for frames, most in ((1, 2), (0, 1)):
            settings = recording.Settings(self.path, frames=frames)
            recording.run([str(_STEPS), "basic"], settings, env=clean_environment(os.environ))
            trace = trace_file.read(self.path)
            self.assertEqual(bool(trace.callers), frames > 0)
            depth = {0: 0}
            for site in sorted(trace.sites):
                depth[site] = depth[trace.callers.get(site, 0)] + 1
            self.assertEqual(max(depth.values()), most)


class NameTest(TraceCase):
    def test_inlined_functions_are_frames_of_their_own(self) -> None:
        known = symbols.resolve_all
        symbol = {True: (Symbol("inner", "a.c", 1), Symbol("outer", "a.c", 2))}
        symbols.resolve_all = lambda places: {place: symbol[True] for place in places}
        try:
            (path, *_) = self.paths(_EVENTS).named([3])
        finally:
            symbols.resolve_all = known
        self.assertEqual([frame.name for frame in path.frames], ["inner", "outer"] * 2)


if __name__ == "__main__":
    unittest.main()
