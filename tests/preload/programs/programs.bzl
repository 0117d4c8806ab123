# SPDX-License-Identifier: MIT
"""The tests of real programs, one a family."""

load("@rules_cc//cc:defs.bzl", "cc_binary")
load("@rules_python//python:defs.bzl", "py_test")

# The names in bench/programs/workloads/registry.py.
FAMILIES = [
    "archive",
    "clang",
    "gcc",
    "git",
    "gxx",
    "imagemagick",
    "java",
    "lua",
    "nginx",
    "node",
    "perl",
    "postgres",
    "python",
    "redis",
    "sqlite",
    "stress",
]

_LIBRARY = "//hakmem/preload:libhakmem.so"

# Families that root runs as another user, whom the namespace of --config=hermetic does not have.
_NEEDS_USERS = ["postgres"]

# A program that a sanitizer's library was preloaded to would be checked instead of hakmem.
_TAGS = ["no-sanitizer"]

def program_test(name):
    """Runs the programs of the family `name` under libhakmem.so.

    Another library: bazel test //tests/preload/programs:NAME --test_arg=--preload=LIBRARY
    """
    py_test(
        name = name,
        size = "medium",
        timeout = "long",  # for a machine that is busy with other tests as well
        srcs = ["check.py"],
        args = ["--preload=$(rootpath %s)" % _LIBRARY, name],
        data = [_LIBRARY],
        main = "check.py",
        python_version = "PY3",
        tags = _TAGS + (["needs-users"] if name in _NEEDS_USERS else []),
        deps = [":check"],
    )

def programs_unit_test(name, data = [], size = "small"):
    """NAME.py, a test of the check, or of the workloads' own code."""
    py_test(
        name = name,
        size = size,
        srcs = [name + ".py"],
        data = data,
        python_version = "PY3",
        tags = _TAGS,
        deps = [":check"],
    )

def broken_library(defect):
    """broken_DEFECT.so: broken.c with one defect, or none."""
    cc_binary(
        name = "broken_%s.so" % defect,
        srcs = ["broken.c"],
        copts = ["-fno-builtin"],
        linkopts = ["-Wl,--as-needed"],
        linkshared = 1,
        local_defines = ["DEFECT=" + defect.upper()],
    )
