# SPDX-License-Identifier: MIT
"""static_archive: all of a library in one .a, to be linked without Bazel. static_archive.py says what is done to it."""

load("@rules_cc//cc:action_names.bzl", "ACTION_NAMES")
load("@rules_cc//cc:find_cc_toolchain.bzl", "find_cc_toolchain")
load("@rules_cc//cc/common:cc_common.bzl", "cc_common")
load("@rules_cc//cc/common:cc_info.bzl", "CcInfo")
load("//tools/bazel:variants.bzl", "VARIANT_ATTRS", "variant_transition")

def _linker_inputs(deps):
    """In the order of the link, each once."""
    infos = [dep[CcInfo].linking_context.linker_inputs for dep in deps]
    return depset(transitive = infos, order = "topological").to_list()

def _archives(linker_inputs):
    """Of position-independent objects: they may go into a shared library or a PIE as well."""
    archives = []
    for linker_input in linker_inputs:
        for library in linker_input.libraries:
            if not library.pic_static_library:
                fail("%s has no archive of position-independent objects" % linker_input.owner)
            archives.append(library.pic_static_library)
    return depset(archives).to_list()

def _static_archive_impl(ctx):
    toolchain = find_cc_toolchain(ctx)
    features = cc_common.configure_features(
        ctx = ctx,
        cc_toolchain = toolchain,
        requested_features = ctx.features,
        unsupported_features = ctx.disabled_features,
    )
    linker_inputs = _linker_inputs(ctx.attr.deps)
    apart = {target.label: name for target, name in ctx.attr.apart.items()}
    members = {ctx.attr.member: [one for one in linker_inputs if one.owner not in apart]}
    for label, name in apart.items():
        members[name] = [one for one in linker_inputs if one.owner == label]
        if not members[name]:
            fail("%s is not among the dependencies" % label)

    archive = ctx.actions.declare_file(ctx.attr.out)
    inputs = []
    arguments = ctx.actions.args()
    arguments.add("--compiler", toolchain.compiler_executable)
    arguments.add("--objcopy", toolchain.objcopy_executable)
    arguments.add("--objdump", toolchain.objdump_executable)
    arguments.add("--ar", cc_common.get_tool_for_action(
        feature_configuration = features,
        action_name = ACTION_NAMES.cpp_link_static_library,
    ))
    for name, its_inputs in members.items():
        archives = _archives(its_inputs)
        arguments.add("--member", name)
        arguments.add_all(archives)
        inputs += archives
    arguments.add("--output", archive)
    ctx.actions.run(
        mnemonic = "StaticArchive",
        executable = ctx.executable._tool,
        arguments = [arguments],
        inputs = depset(inputs, transitive = [toolchain.all_files]),
        outputs = [archive],
        use_default_shell_env = True,
    )
    return [DefaultInfo(files = depset([archive]), runfiles = ctx.runfiles(files = [archive]))]

static_archive = rule(
    implementation = _static_archive_impl,
    attrs = dict(VARIANT_ATTRS, **{
        "apart": attr.label_keyed_string_dict(
            providers = [CcInfo],
            doc = "Libraries among the dependencies that become members of their own, and the members' names: " +
                  "what a program does without unless it refers to it.",
        ),
        "deps": attr.label_list(
            mandatory = True,
            cfg = variant_transition,
            providers = [CcInfo],
            doc = "What the archive holds, with all dependencies; built as it ships, whatever the command line says.",
        ),
        "member": attr.string(mandatory = True, doc = "Name of the member that holds everything else."),
        "out": attr.string(mandatory = True, doc = "Name of the archive."),
        "_cc_toolchain": attr.label(default = "@bazel_tools//tools/cpp:current_cc_toolchain"),
        "_tool": attr.label(default = "//tools/dist:static_archive", executable = True, cfg = "exec"),
    }),
    fragments = ["cpp"],
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
)
