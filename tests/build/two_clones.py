"""Two clones of the checkout for two machines that differ in all that a build must not depend on."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.build.nested_bazel import NestedBazel, checkout, clone

# Everything that is shipped, and a unit test under all switches. The packages build two more configurations: the
# drop-in's, and for their manual page that of the command line.
PACKAGES = ["//:dist", "//:deb", "//hakmem/preload:libhakmem.so"]
TESTS = ["//tests/unit:test_config_p0_p1_p2_p3"]

# Of the outputs: if these are missing, the wrong folder was looked at.
LANDMARKS = [
    "k8-opt/bin/dist/include/hakmem/hakmem.h",
    "k8-opt/bin/hakmem.deb",
    "k8-opt/bin/hakmem/preload/libhakmem.so",
]

_MACHINES = [
    ("here", {"USER": "builder", "LANG": "C.UTF-8", "TZ": "UTC0"}),
    ("some/where/quite/different", {"USER": "somebody", "LANG": "C", "TZ": "XXX-11:30"}),
]


@contextlib.contextmanager
def two_clones() -> Iterator[tuple[NestedBazel, NestedBazel]]:
    """Folder, output root, home, user, language and time zone are different; the sources are the same."""
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))))
        source = checkout()
        nested = []
        for folder, environment in _MACHINES:
            top = scratch / folder
            home = top / "home"
            home.mkdir(parents=True)
            # Others may be at work in the checkout: the second clone is one of the first.
            source = clone(source, top / "hakmem")
            nested.append(stack.enter_context(
                NestedBazel(source, top / "outputs", {**environment, "HOME": str(home)})))
        yield nested[0], nested[1]
