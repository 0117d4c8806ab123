# SPDX-License-Identifier: MIT
"""names_test: a program with functions of hakmem's former names, linked in one form; linked_archives: what a program links."""

load("@rules_cc//cc:defs.bzl", "cc_test")
load("@rules_cc//cc/common:cc_info.bzl", "CcInfo")
load("//tools/bazel:variants.bzl", "VARIANT_ATTRS", "hak_all_variants_test", "variant_attributes", "variant_transition")

def _linked_archives_impl(ctx):
    archives = []
    for linker_input in ctx.attr.library[0][CcInfo].linking_context.linker_inputs.to_list():
        for library in linker_input.libraries:
            archives.append(library.pic_static_library or library.static_library)
    return [DefaultInfo(files = depset(archives), runfiles = ctx.runfiles(files = archives))]

linked_archives = rule(
    implementation = _linked_archives_impl,
    attrs = dict(
        VARIANT_ATTRS,
        library = attr.label(
            mandatory = True,
            cfg = variant_transition,
            providers = [CcInfo],
            doc = "Built under the switches.",
        ),
    ),
    doc = "The archives of a library and of all that it depends on.",
)

def names_test(name, form, deps = [], malloc = "@bazel_tools//tools/cpp:malloc", combinations = []):
    """program.c linked beside former.c.

    Args:
      name: of the test, or, with `combinations`, the prefix of the tests' names.
      form: macro of program.c, which says how it calls the allocator.
      deps: libraries that it links.
      malloc: as for every program.
      combinations: of the switches; [] where no switch makes a difference.
    """
    cc_test(
        name = name,
        size = "small",
        srcs = ["program.c"],
        copts = ["-fno-builtin", "-D" + form],
        linkopts = ["-pthread"],
        linkstatic = 1,
        local_defines = ["_GNU_SOURCE"],
        malloc = malloc,
        tags = ["no-sanitizer"] + (["manual"] if combinations else []),
        deps = [":former"] + deps,
    )
    hak_all_variants_test(
        name = name,
        size = "small",
        actual = ":" + name,
        combinations = combinations,
        tags = ["no-sanitizer"],
    )

def combination_archives(name, library, combinations):
    """NAME_none and so on: the linked_archives of a library under each combination of the switches."""
    for combination in combinations:
        linked_archives(
            name = name + "_" + combination.name,
            library = library,
            **variant_attributes(combination)
        )
