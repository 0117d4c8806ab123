# SPDX-License-Identifier: MIT
"""Programs that are run in every form in which hakmem ships: preloaded, plain and with either guard, and linked in."""

load("@rules_cc//cc:defs.bzl", "cc_binary")
load("@rules_python//python:defs.bzl", "py_test")

LIBRARIES = [
    "//hakmem/preload:libhakmem.so",
    "//hakmem/preload:libhakmem-guard.so",
    "//hakmem/preload:libhakmem-guard-full.so",
]

def form_program(name, srcs = None, copts = [], linkopts = [], deps = [], **kwargs):
    """NAME, which knows nothing of hakmem, and NAME_linked, the same linked with //hakmem:malloc.

    Args:
      name: name of the program.
      srcs: its sources; None: NAME.c.
      copts: for the compiler; no call of malloc is left out in any case.
      linkopts: for the linker.
      deps: libraries.
      **kwargs: other attributes of both.
    """
    for suffix, malloc in [("", "@bazel_tools//tools/cpp:malloc"), ("_linked", "//hakmem:malloc")]:
        cc_binary(
            name = name + suffix,
            srcs = srcs or [name + ".c"],
            copts = ["-fno-builtin"] + copts,
            linkopts = [
                "-Wl,--as-needed",
                "-ldl",
                "-pthread",
            ] + linkopts,
            local_defines = ["_GNU_SOURCE"],
            malloc = malloc,
            deps = deps,
            **kwargs
        )

def form_test(name, programs = [], data = [], deps = [], size = "small", tags = [], **kwargs):
    """The test NAME of NAME.py, whose cases derive from tests.preload.forms.FormTest.

    Args:
      name: name of the test.
      programs: names of form_programs of this package that it runs.
      data: what else it reads or runs.
      deps: Python libraries on top of forms.
      size: as for every test.
      tags: as for every test.
      **kwargs: other attributes of every test.
    """
    py_test(
        name = name,
        size = size,
        srcs = [name + ".py"],
        data = data + LIBRARIES + [":" + program + suffix for program in programs for suffix in ["", "_linked"]],
        tags = tags + ["no-sanitizer"],  # which bring a malloc of their own
        deps = deps + ["//tests/preload:forms"],
        **kwargs
    )
