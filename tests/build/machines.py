# SPDX-License-Identifier: MIT
"""Clones of the checkout for machines that differ in all that a build must not depend on, and what they build."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.build.nested_bazel import NestedBazel, clone

# What ships in one configuration, and a test: the packages hold two more, one for each other value of guard, whose
# commands differ in a macro only. That the packages are the same each time is for //tests/dist:reproducible_test.
PACKAGES = ["//hakmem/preload:libhakmem.so", "//:source", "//tools/dist:bash_completion"]
TESTS = ["//tests/unit:test_base"]

# Of the outputs: if these are missing, the wrong folder was looked at.
LANDMARKS = [
    "k8-opt/bin/codegen/hak_classes.h",
    "k8-opt/bin/hakmem/preload/libhakmem.so",
    "k8-opt/bin/tests/unit/test_base",
]

# Name, which is also the folder, and what is set there.
_ENVIRONMENTS = {
    "here": {"USER": "builder", "LANG": "C.UTF-8", "TZ": "UTC0"},
    "some/where/quite/different": {"USER": "somebody", "LANG": "C", "TZ": "XXX-11:30"},
}
HERE, ELSEWHERE = _ENVIRONMENTS


@contextlib.contextmanager
def machine(name: str, source: Path, scratch: Path) -> Iterator[NestedBazel]:
    """A clone of `source` below `scratch` with folder, output root, home, user, language and time zone of its own."""
    top = scratch / name
    home = top / "home"
    home.mkdir(parents=True)
    environment = {**_ENVIRONMENTS[name], "HOME": str(home)}
    with NestedBazel(clone(source, top / "hakmem"), top / "outputs", environment) as bazel:
        yield bazel
