# SPDX-License-Identifier: MIT
"""ImageMagick: a generated picture through many filters and formats, with two threads."""

from __future__ import annotations

import random
from pathlib import Path

from bench.programs.workloads import generate
from bench.programs.workloads.errors import expect
from bench.programs.workloads.session import Session
from bench.programs.workloads.workload import Need, Outcome, Workload

# Debian has version 6 or 7, by its release; convert of version 7 is another name of magick.
_CONVERT = Need("/usr/bin/convert-im[67].q16", "imagemagick")
_WIDTH, _HEIGHT = 640, 480
_ENVIRONMENT = {"OMP_NUM_THREADS": "2", "MAGICK_THREAD_LIMIT": "2"}


class Filters(Workload):
    """Formats without loss have to give back the picture that went in, pixel for pixel."""

    name = "imagemagick"
    task = "ImageMagick with two threads: filters, enlarging, distortion, and the way through PNG, TIFF and JPEG"
    needs = (_CONVERT,)
    programs = frozenset({"*-im[67].q16"})

    def prepare(self, inputs: Path, seed: int) -> None:
        (inputs / "picture.ppm").write_bytes(generate.picture(random.Random(seed), _WIDTH, _HEIGHT))

    def run(self, session: Session) -> Outcome:
        def convert(*arguments: str) -> None:
            session.run(_CONVERT.find(), *arguments, environment=_ENVIRONMENT)

        original = str(session.inputs / "picture.ppm")
        # -strip: files would otherwise hold the time at which they were written.
        convert(original, "-strip", "-define", "png:exclude-chunks=date,time", "copy.png")
        convert("copy.png", "-strip", "copy.tiff")
        convert("copy.tiff", "-depth", "8", "back.ppm")
        convert(
            original, "-resize", "200%", "-blur", "0x3", "-rotate", "17", "-unsharp", "0x1", "-colors", "64",
            "-depth", "8", "filtered.ppm",
        )  # fmt: skip
        convert(original, "-distort", "Barrel", "0.1 0.05 0", "-median", "2", "-edge", "1", "-depth", "8", "edges.ppm")
        convert("filtered.ppm", "-strip", "-quality", "85", "filtered.jpg")
        back = (session.folder / "back.ppm").read_bytes()
        expect(back == Path(original).read_bytes(), "the picture did not come back as it was from PNG and TIFF")
        header = (session.folder / "filtered.ppm").read_bytes()[:2]
        expect(header == b"P6", f"the filtered picture begins with {header!r}")
        names = ("filtered.ppm", "edges.ppm", "filtered.jpg", "copy.png")
        return Outcome({name: (session.folder / name).read_bytes() for name in names})


WORKLOADS = (Filters(),)
