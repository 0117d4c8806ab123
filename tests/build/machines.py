# SPDX-License-Identifier: MIT
"""Clones of the checkout for machines that differ in all that a build must not depend on, and what they build."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.build.nested_bazel import NestedBazel, clone

# Everything that is shipped, which is three configurations, one for each value of guard, and a test.
PACKAGES = ["//:dist", "//:deb", "//hakmem/preload:libhakmem.so"]
TESTS = ["//tests/unit:test_base"]

# Of the outputs: if these are missing, the wrong folder was looked at.
LANDMARKS = [
    "k8-opt/bin/dist/include/hakmem/hakmem.h",
    "k8-opt/bin/hakmem.deb",
    "k8-opt/bin/hakmem/preload/libhakmem.so",
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
