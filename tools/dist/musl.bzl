# SPDX-License-Identifier: MIT
"""musl_library: the library by musl-gcc, as docs/operate.md says it for Alpine."""

load("//tools/dist:version.bzl", "HAKMEM_VERSION")

_HEADER = "//codegen:golden/hak_classes_fine16_g1.h"
_EXPORTS = "//hakmem/preload:exports.lds"

def musl_library(name, defines = [], **kwargs):
    """NAME/libhakmem.so and NAME/libhakmem-musl.a, of the switches that ship and of this machine's processor.

    Args:
      name: name of the target.
      defines: macros beyond those that ship.
      **kwargs: as for every target.
    """
    shared = name + "/libhakmem.so"
    archive = name + "/libhakmem-musl.a"
    native.genrule(
        name = name,
        srcs = [
            "//tools/dist:musl_sources",
            _HEADER,
            _EXPORTS,
        ],
        outs = [
            shared,
            archive,
        ],
        cmd = " ".join([
            "$(execpath //tools/dist:build_musl)",
            "--header=$(execpath %s)" % _HEADER,
            "--exports=$(execpath %s)" % _EXPORTS,
            "--define=HAK_VERSION='\"%s\"'" % HAKMEM_VERSION,
        ] + ["--define=" + define for define in defines] + [
            "--shared=$(execpath %s)" % shared,
            "--archive=$(execpath %s)" % archive,
            "$(SRCS)",
        ]),
        tools = ["//tools/dist:build_musl"],
        **kwargs
    )
