# SPDX-License-Identifier: MIT
"""The three forms of the statistics: each readable by an independent parser, and all of the same figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

import jsonschema
from prometheus_client.parser import text_fd_to_metric_families

FORMS, LIBRARY, SCHEMA = (os.path.abspath(path) for path in sys.argv[1:4])

_SECONDS = 600


class Case(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_program(self, *line: str, status: int = 0, **environment: str) -> str:
        """What the program says on standard error."""
        done = subprocess.run(
            line,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
            cwd=self.folder,
            env={**os.environ, **environment},
        )
        self.assertEqual((done.returncode, done.stdout), (status, ""), done.stderr)
        return done.stderr

    def preloaded(self, *line: str, status: int = 0, **environment: str) -> str:
        return self.run_program(*line, status=status, LD_PRELOAD=LIBRARY, **environment)


def validate(statistics: Any) -> None:
    schema = json.loads(Path(SCHEMA).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(statistics, schema, jsonschema.Draft202012Validator)


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for family in text_fd_to_metric_families(iter(text.splitlines(keepends=True))):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, key
            found[key] = sample.value
    return found


class FormsTest(Case):
    def setUp(self) -> None:
        super().setUp()
        paths = [self.folder / name for name in ("text", "json", "prometheus")]
        self.assertEqual(self.run_program(FORMS, *map(str, paths)), "")
        self.text, written, self.prometheus = (path.read_text(encoding="ascii") for path in paths)
        self.json = json.loads(written)
        self.assertEqual(written.count("\n"), 1)

    def test_json_is_what_the_schema_says(self) -> None:
        validate(self.json)

    def test_schema_refuses_what_is_not_so(self) -> None:
        changes: tuple[dict[str, Any], ...] = ({"version": 2}, {"quiet": 1}, {"pools": {}}, {"more": 0})
        for change in changes:
            with self.subTest(change), self.assertRaises(jsonschema.ValidationError):
                validate({**self.json, **change})

    def test_json_has_the_programs_blocks(self) -> None:
        self.assertTrue(self.json["quiet"])
        live = [
            next(one["live_blocks"] for one in self.json["classes"] if one["block_size"] >= size)
            for size in (3000, 100000)
        ]
        self.assertEqual((*live, self.json["pools"]["huge"]["live_blocks"]), (125, 15, 1))
        (of_48,) = (one for one in self.json["classes"] if one["block_size"] == 48)
        self.assertEqual((of_48["allocations"] - of_48["frees"], of_48["live_blocks"]), (500, 500))
        for name in ("tiny", "l2", "l25"):
            for field in ("allocations", "frees", "live_blocks", "live_bytes", "cached_blocks", "free_blocks", "slabs"):
                total = sum(one[field] for one in self.json["classes"] if one["pool"] == name)
                self.assertEqual(total, self.json["pools"][name][field], (name, field))
        process = self.json["process"]
        self.assertEqual(process["held_bytes"], process["slab_bytes"] + self.json["pools"]["huge"]["live_bytes"])
        self.assertEqual(process["threads"], len(self.json["threads"]) + self.json["threads_omitted"])

    def test_prometheus_is_parsed_and_of_the_same_figures(self) -> None:
        found = samples(self.prometheus)
        for one in self.json["classes"]:
            labels = {"pool": one["pool"], "class": str(one["class"]), "block_bytes": str(one["block_size"])}
            for field, metric in (
                ("allocations", "allocations_total"),
                ("frees", "frees_total"),
                ("live_blocks", "live_blocks"),
                ("live_bytes", "live_bytes"),
                ("cached_blocks", "cached_blocks"),
                ("slabs_owned", "slabs_owned"),
            ):
                self.assertEqual(found[f"hakmem_{metric}", frozenset(labels.items())], one[field], (labels, field))
        for field, value in self.json["process"].items():
            name = {
                "held_bytes_most": "held_max_bytes",
                "huge_blocks_most": "huge_max_blocks",
                "huge_bytes_most": "huge_max_bytes",
                "slabs_empty": "slabs_empty_chunks",
            }.get(field, field)
            keys = [(of_field, frozenset[tuple[str, str]]()) for of_field in (f"hakmem_{name}", f"hakmem_{name}_total")]
            values = [found[key] for key in keys if key in found]
            self.assertEqual(values, [value], field)
        for thread in self.json["threads"]:
            whose = frozenset({"thread": str(thread["number"]), "tid": str(thread["tid"])}.items())
            self.assertEqual(found["hakmem_thread_allocations_total", whose], thread["allocations"])

    def test_prometheus_names_follow_the_conventions(self) -> None:
        for family in text_fd_to_metric_families(iter(self.prometheus.splitlines(keepends=True))):
            self.assertRegex(family.name, r"\Ahakmem_[a-z_]+\Z")
            self.assertTrue(family.documentation)
            self.assertIn(family.type, ("counter", "gauge"))
            self.assertTrue(family.samples)
            for sample in family.samples:
                self.assertEqual(sample.name.endswith("_total"), family.type == "counter", sample.name)

    def test_text_has_the_same_figures(self) -> None:
        self.assertLessEqual(max(map(len, self.text.splitlines())), 110)
        for field, value in self.json["process"].items():
            self.assertRegex(self.text, rf"(?m)^ +{field} +{value}  \S")
        for one in self.json["classes"]:
            row = [
                one[key]
                for key in (
                    "pool",
                    "block_size",
                    "allocations",
                    "frees",
                    "live_blocks",
                    "live_bytes",
                    "cached_blocks",
                    "slabs",
                )
            ]
            self.assertRegex(self.text, r"(?m)^ +" + " +".join(map(str, row)) + "$")


class AtExitTest(Case):
    def test_nothing_without_the_option(self) -> None:
        self.assertEqual(self.preloaded("true"), "")

    def test_each_form_on_standard_error(self) -> None:
        # A program that closes standard error before it ends.
        self.assertRegex(self.preloaded("sort", "/dev/null", HAKMEM_STATS="text"), r"\Ahakmem [0-9.]+ \(p0")
        validate(json.loads(self.preloaded("sort", "/dev/null", HAKMEM_STATS="json")))
        self.assertIn(
            ("hakmem_threads", frozenset()), samples(self.preloaded("sort", "/dev/null", HAKMEM_STATS="prometheus"))
        )

    def test_into_a_file_of_each_process(self) -> None:
        self.assertEqual(
            self.preloaded(
                "sh", "-c", "sort /dev/null; sort /dev/null; exit 3", status=3, HAKMEM_STATS="json:out.%p.json"
            ),
            "",
        )
        found = [(path.name, json.loads(path.read_text())) for path in self.folder.iterdir()]
        self.assertGreaterEqual(len(found), 2)
        for name, statistics in found:
            validate(statistics)
            self.assertEqual(name, f"out.{statistics['pid']}.json")

    def test_a_file_that_cannot_be_written(self) -> None:
        said = self.preloaded(sys.executable, "-c", "pass", HAKMEM_STATS="text:none/out")
        self.assertRegex(
            said,
            r"\Ahakmem: warning: none/out: the statistics of HAKMEM_STATS could not be written; "
            r"No such file or directory\n\Z",
        )

    def test_malloc_infos_maximum_is_a_real_one(self) -> None:
        script = (
            "import ctypes, re; x = [bytes(60000) for _ in range(2000)]; del x;"
            "c = ctypes.CDLL(None); c.malloc_trim(0);"
            "c.open_memstream.restype = ctypes.c_void_p; p = ctypes.c_char_p(); n = ctypes.c_size_t();"
            "f = ctypes.c_void_p(c.open_memstream(ctypes.byref(p), ctypes.byref(n)));"
            "c.malloc_info(0, f); c.fclose(f);"
            'size = {k: int(v) for k, v in re.findall(r\'system type="(\\w+)" size="(\\d+)"\', p.value.decode())};'
            "assert size['max'] >= 2000 * 60000 > 2 * size['current'], size"
        )
        self.assertEqual(self.preloaded("/usr/bin/python3", "-c", script, PYTHONMALLOC="malloc"), "")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
