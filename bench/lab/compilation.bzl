# SPDX-License-Identifier: MIT
"""The compiler's command for C, as the toolchain and the command line's flags make it."""

load("@rules_cc//cc:action_names.bzl", "ACTION_NAMES")
load("@rules_cc//cc:find_cc_toolchain.bzl", "find_cc_toolchain")
load("@rules_cc//cc/common:cc_common.bzl", "cc_common")

def compile_command(ctx, copts, context = None, local_defines = []):
    """The compiler and the arguments of a position-independent compilation, without -c and -o.

    Args:
      ctx: of a rule or aspect with an attribute _cc_toolchain and the fragment cpp.
      copts: the target's own.
      context: the target's compilation context; None: no folders and definitions.
      local_defines: the target's own.

    Returns:
      struct(compiler, arguments).
    """
    toolchain = find_cc_toolchain(ctx)
    features = cc_common.configure_features(
        ctx = ctx,
        cc_toolchain = toolchain,
        requested_features = ctx.features,
        unsupported_features = ctx.disabled_features,
    )
    local = [token for define in local_defines for token in ctx.tokenize(define)]
    variables = cc_common.create_compile_variables(
        feature_configuration = features,
        cc_toolchain = toolchain,
        user_compile_flags = ctx.fragments.cpp.copts + ctx.fragments.cpp.conlyopts + copts,
        include_directories = context.includes if context else None,
        quote_include_directories = context.quote_includes if context else None,
        system_include_directories = context.system_includes if context else None,
        preprocessor_defines = depset(context.defines.to_list() + local) if context else None,
        use_pic = True,
    )
    return struct(
        compiler = cc_common.get_tool_for_action(
            feature_configuration = features,
            action_name = ACTION_NAMES.c_compile,
        ),
        arguments = cc_common.get_memory_inefficient_command_line(
            feature_configuration = features,
            action_name = ACTION_NAMES.c_compile,
            variables = variables,
        ),
    )

def _compilation_impl(ctx):
    command = compile_command(ctx, ctx.attr.copts)
    out = ctx.actions.declare_file(ctx.label.name + ".json")
    ctx.actions.write(out, struct(compiler = command.compiler, arguments = command.arguments).to_json() + "\n")
    return [DefaultInfo(files = depset([out]), runfiles = ctx.runfiles([out]))]

compilation = rule(
    implementation = _compilation_impl,
    attrs = {
        "copts": attr.string_list(doc = "Options of the targets that are measured."),
        "_cc_toolchain": attr.label(default = "@bazel_tools//tools/cpp:current_cc_toolchain"),
    },
    fragments = ["cpp"],
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
    doc = "NAME.json: the compiler and its arguments, for reports.",
)
