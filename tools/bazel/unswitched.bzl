# SPDX-License-Identifier: MIT
"""hak_library: a cc_library of which some files are compiled once for all combinations of P0 to P3 and all experiments.

    load("//tools/bazel:unswitched.bzl", "hak_library")

    hak_library(name = "slab", srcs = ["claim.c"], unswitched_srcs = ["list.c", "free.c"], hdrs = [...], deps = [...])

is used like a cc_library. Unlike those of a switchless_library, the unswitched files may include headers that see the
switches; only their code must be the same whatever the switches are. That is not believed but shown: they are compiled
with each switch's macro standing for a variable that exists nowhere (//hakmem/flags:flags.h), so that code which asks a
switch does not link. The same holds for the experiments that code sees (EXPERIMENT_MACROS). The other flags, such as `classes` and
`table`, hold for them as for every file.
"""

load("@rules_cc//cc:defs.bzl", "cc_library")
load("@rules_cc//cc:find_cc_toolchain.bzl", "find_cc_toolchain")
load("@rules_cc//cc/common:cc_common.bzl", "cc_common")
load("@rules_cc//cc/common:cc_info.bzl", "CcInfo")
load("//hakmem/flags:flags.bzl", "EXPERIMENT_MACROS", "SHIPPED", "SWITCHES")
load("//tools/bazel:variants.bzl", "FLAGS")

_UNSWITCHED = FLAGS + "unswitched"

def _unswitched_transition_impl(_settings, _attr):
    values = {FLAGS + switch: "off" for switch in SWITCHES}
    values.update({FLAGS + name: SHIPPED[name] for name in EXPERIMENT_MACROS})
    return dict(values, **{_UNSWITCHED: True})

# Equal for all combinations of the switches, so that they have one configuration here.
_unswitched_transition = transition(
    implementation = _unswitched_transition_impl,
    inputs = [],
    outputs = [FLAGS + name for name in list(SWITCHES) + list(EXPERIMENT_MACROS)] + [_UNSWITCHED],
)

def _own_objects(library):
    """What the cc_library itself compiled: struct(objects, pic_objects)."""
    own = [
        archive
        for linked in library[CcInfo].linking_context.linker_inputs.to_list()
        if linked.owner == library.label
        for archive in linked.libraries
    ]
    return struct(
        objects = [object for archive in own for object in archive.objects or []],
        pic_objects = [object for archive in own for object in archive.pic_objects or []],
    )

def _joined_impl(ctx):
    parts = [_own_objects(part) for part in ctx.attr.deps + ctx.attr.unswitched]
    toolchain = find_cc_toolchain(ctx)
    linking_context, outputs = cc_common.create_linking_context_from_compilation_outputs(
        actions = ctx.actions,
        name = ctx.label.name,
        feature_configuration = cc_common.configure_features(
            ctx = ctx,
            cc_toolchain = toolchain,
            requested_features = ctx.features,
            unsupported_features = ctx.disabled_features,
        ),
        cc_toolchain = toolchain,
        compilation_outputs = cc_common.create_compilation_outputs(
            objects = depset([object for part in parts for object in part.objects]),
            pic_objects = depset([object for part in parts for object in part.pic_objects]),
        ),
        linking_contexts = [below[CcInfo].linking_context for below in ctx.attr.below],
        alwayslink = ctx.attr.alwayslink,
        disallow_dynamic_library = True,
    )
    archive = outputs.library_to_link
    return [
        CcInfo(
            compilation_context = ctx.attr.deps[0][CcInfo].compilation_context,
            linking_context = linking_context,
        ),
        DefaultInfo(files = depset([archive.static_library or archive.pic_static_library])),
    ]

_joined = rule(
    implementation = _joined_impl,
    attrs = {
        "alwayslink": attr.bool(),
        "below": attr.label_list(
            providers = [CcInfo],
            doc = "What both parts depend on, as linked.",
        ),
        "deps": attr.label_list(
            mandatory = True,
            providers = [CcInfo],
            doc = "One cc_library, of the files that a switch changes; under this name aspects follow it.",
        ),
        "unswitched": attr.label_list(
            mandatory = True,
            cfg = _unswitched_transition,
            providers = [CcInfo],
            doc = "One cc_library, of the files that none changes.",
        ),
        "_allowlist_function_transition": attr.label(
            default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
        ),
        "_cc_toolchain": attr.label(default = "@bazel_tools//tools/cpp:current_cc_toolchain"),
    },
    fragments = ["cpp"],
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
)

def hak_library(
        name,
        srcs = [],
        unswitched_srcs = [],
        deps = [],
        alwayslink = False,
        tags = [],
        testonly = None,
        visibility = None,
        **kwargs):
    """A cc_library, always linked statically, whose `unswitched_srcs` are compiled once.

    Args:
      name: of the library.
      srcs: files whose code a switch changes, and private headers.
      unswitched_srcs: files whose code none changes.
      deps: as for every library.
      alwayslink: as for every library.
      tags: as for every library.
      testonly: as for every library.
      visibility: as for every library.
      **kwargs: attributes of both: hdrs, copts ..
    """
    private_headers = [file for file in srcs if file.endswith(".h")]
    for part, part_srcs in [("switched", srcs), ("unswitched", unswitched_srcs + private_headers)]:
        cc_library(
            name = "%s_%s" % (name, part),
            srcs = part_srcs,
            linkstatic = 1,
            tags = tags + ["manual"],
            testonly = testonly,
            visibility = ["//visibility:private"],
            deps = deps,
            **kwargs
        )
    _joined(
        name = name,
        alwayslink = alwayslink,
        below = deps,
        tags = tags,
        testonly = testonly,
        unswitched = [":%s_unswitched" % name],
        visibility = visibility,
        deps = [":%s_switched" % name],
    )
