# SPDX-License-Identifier: MIT
"""surface_program: one program, preloaded, linked and linked statically."""

load("@rules_cc//cc:defs.bzl", "cc_binary")
load("//tests/preload:preload.bzl", "GUARD_FULL_LIBRARY", "GUARD_LIBRARY", "LIBRARY", "preload_case", "preload_test")

# What programs do on purpose here is what compilers warn about; and they must call what they name.
PROGRAM_COPTS = ["-w", "-fno-builtin"]

# clang has these forms of delete only when asked.
_CXX_COPTS = ["-fsized-deallocation"]

PROGRAM_LINKOPTS = ["-Wl,--as-needed", "-ldl", "-lpthread"]

def surface_program(name, src, **kwargs):
    """The program NAME and its test, NAME_test.

    The case NAME_preloaded runs it with libhakmem.so preloaded, NAME_guarded with libhakmem-guard.so, NAME_guarded_full with
    libhakmem-guard-full.so, NAME_linked is the same source linked with
    `malloc = "//hakmem:malloc"`, NAME_static the same without any shared library.

    Args:
      name: name of the program.
      src: its source, C or C++; it ends with check_done().
      **kwargs: arguments of preload_case where a library is preloaded.
    """
    copts = PROGRAM_COPTS + (_CXX_COPTS if src.endswith(".cc") else [])
    cc_binary(
        name = name,
        srcs = [src],
        copts = copts,
        linkopts = PROGRAM_LINKOPTS,
        deps = [":check"],
    )
    cases = [
        preload_case(
            name = name + "_" + suffix,
            library = library,
            program = ":" + name,
            **kwargs
        )
        for suffix, library in [
            ("preloaded", LIBRARY),
            ("guarded", GUARD_LIBRARY),
            ("guarded_full", GUARD_FULL_LIBRARY),
        ]
    ]
    for suffix, linkopts in [("linked", []), ("static", ["-static"])]:
        cc_binary(
            name = name + "_" + suffix,
            srcs = [src],
            copts = copts + ["-DSURFACE_LINKED"],
            linkopts = PROGRAM_LINKOPTS + linkopts,
            linkstatic = suffix == "static",
            malloc = "//hakmem:malloc",
            tags = ["manual"],  # no sanitizer links such a program
            deps = [":check"],
        )
        cases.append(preload_case(
            name = name + "_" + suffix,
            plain = True,
            program = ":%s_%s" % (name, suffix),
        ))
    preload_test(
        name = name + "_test",
        cases = cases,
    )
