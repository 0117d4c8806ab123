# SPDX-License-Identifier: MIT
"""The drop-in library is built with the shipped switches, whatever the command line says."""

load("@bazel_tools//tools/cpp:toolchain_utils.bzl", "find_cpp_toolchain")
load(
    "//tools/bazel:variants.bzl",
    "SHIPPED_COMBINATION",
    "SHIPPED_COMBINATIONS",
    "VARIANT_ATTRS",
    "hak_variant_binary",
    "variant_attributes",
    "variant_transition",
)

def _archives_only(ctx, libraries):
    """The libraries without their shared form, whose hidden names no other library would find."""
    toolchain = find_cpp_toolchain(ctx)
    features = cc_common.configure_features(
        ctx = ctx,
        cc_toolchain = toolchain,
        requested_features = ctx.features,
        unsupported_features = ctx.disabled_features,
    )
    return [cc_common.create_library_to_link(
        actions = ctx.actions,
        alwayslink = library.alwayslink,
        cc_toolchain = toolchain,
        feature_configuration = features,
        pic_static_library = library.pic_static_library,
        static_library = library.static_library,
    ) for library in libraries if library.static_library or library.pic_static_library]

def _drop_in_library_impl(ctx):
    merged = cc_common.merge_cc_infos(cc_infos = [dep[CcInfo] for dep in ctx.attr.deps])
    linker_inputs = [cc_common.create_linker_input(
        owner = linker_input.owner,
        libraries = depset(_archives_only(ctx, linker_input.libraries)),
        user_link_flags = depset(linker_input.user_link_flags),
        additional_inputs = depset(linker_input.additional_inputs),
    ) for linker_input in merged.linking_context.linker_inputs.to_list()]
    return [
        CcInfo(
            compilation_context = merged.compilation_context,
            linking_context = cc_common.create_linking_context(
                linker_inputs = depset(linker_inputs, order = "topological"),
            ),
        ),
        DefaultInfo(files = depset(transitive = [dep[DefaultInfo].files for dep in ctx.attr.deps])),
    ]

_drop_in_library = rule(
    implementation = _drop_in_library_impl,
    attrs = dict(
        VARIANT_ATTRS,
        deps = attr.label_list(
            mandatory = True,
            cfg = variant_transition,
            providers = [CcInfo],
            doc = "Libraries to build under the switches.",
        ),
        _cc_toolchain = attr.label(default = "@bazel_tools//tools/cpp:current_cc_toolchain"),
    ),
    fragments = ["cpp"],
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
)

def drop_in_library(name, deps):
    """Libraries under the shipped switches, for a cc_library's deps. They are always linked statically."""
    _drop_in_library(name = name, deps = deps, **variant_attributes(SHIPPED_COMBINATION))

def drop_in_binary(name, actual, guard = "off"):
    """The program or shared object `actual` under the shipped switches."""
    hak_variant_binary(name = name, actual = actual, **variant_attributes(SHIPPED_COMBINATIONS[guard]))
