# SPDX-License-Identifier: MIT
"""Programs that know nothing of hakmem, and the tests that run them with libhakmem.so preloaded."""

load("@rules_cc//cc:defs.bzl", "cc_binary")
load("@rules_python//python:defs.bzl", "py_test")

PROGRAM_DEFINES = ["_GNU_SOURCE"]

def life_program(name):
    """The program NAME of NAME.c, which calls what it names: the compiler leaves no malloc out."""
    cc_binary(
        name = name,
        srcs = [name + ".c"],
        copts = ["-fno-builtin"],
        linkopts = [
            "-Wl,--as-needed",
            "-ldl",
            "-pthread",
        ],
        local_defines = PROGRAM_DEFINES,
        deps = [":common"],
    )

def life_test(name, programs = [], deps = [], size = "small", tags = []):
    """The test NAME of NAME.py.

    A sanitizer's own allocator cannot be replaced.

    Args:
      name: name of the test.
      programs: what it runs.
      deps: Python libraries on top of run and case.
      size: as for every test.
      tags: as for every test.
    """
    py_test(
        name = name,
        size = size,
        srcs = [name + ".py"],
        data = programs + ["//hakmem/preload:libhakmem.so"],
        tags = tags + ["no-sanitizer"],
        deps = deps + [":life"],
    )
