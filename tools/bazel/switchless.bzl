# SPDX-License-Identifier: MIT
"""switchless_library: a cc_library whose code no switch changes, compiled once for all combinations of the switches.

    load("//tools/bazel:switchless.bzl", "switchless_library")

    switchless_library(name = "os", srcs = [...], hdrs = [...], deps = [...])

is used like a cc_library. Its objects are those of the combination that ships, whatever combination asks for them; its
headers and what is defined for them are those of whoever includes them. A library that can see a switch is an error:
neither //hakmem/flags nor the generated header of the classes may be among what it depends on. The flags `debug`,
`contention` and `disturb`, which no combination sets, make no difference here. With `guards = True` the library may depend on
//hakmem/flags:guards, and is compiled once for each value of guard.
"""

load("@rules_cc//cc:defs.bzl", "cc_library")
load("@rules_cc//cc/common:cc_info.bzl", "CcInfo")
load("//hakmem/flags:flags.bzl", "SHIPPED")
load("//tools/bazel:variants.bzl", "FLAGS")

_GUARD = FLAGS + "guard"

def _switchless_transition_impl(settings, attr):
    values = {FLAGS + name: value for name, value in SHIPPED.items()}
    if attr.guards:
        values[_GUARD] = settings[_GUARD]
    return values

# Sets the same flags as variant_transition, so that equal values mean one configuration.
_switchless_transition = transition(
    implementation = _switchless_transition_impl,
    inputs = [_GUARD],
    outputs = [FLAGS + name for name in SHIPPED],
)

def _refuse_switches(ctx, context):
    allowed = ["HAK_DEBUG", "HAK_CONTENTION", "HAK_DISTURB"] + (["HAK_GUARD"] if ctx.attr.guards else [])
    for define in context.defines.to_list():
        name = define.split("=")[0]
        if name.startswith("HAK_") and name not in allowed:
            fail("%s sees %s, which is not the same in all combinations of the switches" % (ctx.label, name))
    for header in context.headers.to_list():
        if not header.is_source and not header.owner.workspace_name:
            fail("%s sees %s, which the switches make" % (ctx.label, header.short_path))

def _switchless_impl(ctx):
    context = ctx.attr.interface[CcInfo].compilation_context
    _refuse_switches(ctx, context)
    return [
        CcInfo(
            compilation_context = context,
            linking_context = ctx.attr.deps[0][CcInfo].linking_context,
        ),
        DefaultInfo(files = ctx.attr.deps[0][DefaultInfo].files),
    ]

_switchless = rule(
    implementation = _switchless_impl,
    attrs = {
        "deps": attr.label_list(
            mandatory = True,
            cfg = _switchless_transition,
            providers = [CcInfo],
            doc = "The library, for its objects; under this name aspects follow it.",
        ),
        "guards": attr.bool(),
        "interface": attr.label(
            mandatory = True,
            providers = [CcInfo],
            doc = "The same library, for its headers.",
        ),
        "_allowlist_function_transition": attr.label(
            default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
        ),
    },
)

def switchless_library(name, guards = False, visibility = None, tags = [], testonly = None, **kwargs):
    """A cc_library that is compiled once.

    It is always linked statically: a shared object of its own would stand in another configuration's folder.

    Args:
      name: of the library.
      guards: whether its code depends on the flag `guard`.
      visibility: as for every library.
      tags: as for every library.
      testonly: as for every library.
      **kwargs: attributes of the cc_library.
    """
    cc_library(
        name = name + "_once",
        linkstatic = 1,
        tags = tags + ["manual"],
        testonly = testonly,
        visibility = ["//visibility:private"],
        **kwargs
    )
    _switchless(
        name = name,
        deps = [":" + name + "_once"],
        guards = guards,
        interface = ":" + name + "_once",
        tags = tags,
        testonly = testonly,
        visibility = visibility,
    )
