# SPDX-License-Identifier: MIT
"""Builds the allocator a second time from sources that a switch was taken out of, and compares the objects.

    switched_off(name = "p1_alone_off", library = ":libhakmem_p0_p2_p3", switch = "p1", mode = "removed")

writes NAME.json: which functions are the same, byte for byte, in the objects that Bazel built for `library` with the
switch off, and in those of the stripped sources. The second compilation repeats the command of the first.
"""

load("//bench/lab:compilation.bzl", "compile_command")

_MACROS = {
    "p0": "HAK_P0_CLASS_TABLE",
    "p1": "HAK_P1_BATCHED_STATS",
    "p2": "HAK_P2_INLINE_FAST_PATH",
    "p3": "HAK_P3_SENTINELS",
}

_Units = provider(
    doc = "How the objects of a library and of all it depends on are compiled.",
    fields = {
        "units": "depset of struct(source, object, compiler, arguments, headers)",
        "files": "depset of C files and headers of this workspace",
    },
)

def _is_own(file):
    return file.is_source and not file.owner.workspace_name and file.extension in ["c", "h"]

def _compilations(target, ctx):
    """The compilations of a target whose objects go into a shared library."""
    units = []
    for action in target.actions:
        if action.mnemonic != "CppCompile":
            continue
        objects = [file for file in action.outputs.to_list() if file.basename.endswith(".pic.o")]
        sources = [file for file in getattr(ctx.rule.files, "srcs", []) if _is_own(file) and file.extension == "c"]
        sources = [file for file in sources if objects and objects[0].basename == file.basename[:-1] + "pic.o"]
        if len(objects) == 1 and len(sources) == 1:
            context = target[CcInfo].compilation_context
            command = compile_command(ctx, ctx.rule.attr.copts, context, ctx.rule.attr.local_defines)
            units.append(struct(
                source = sources[0],
                object = objects[0],
                compiler = command.compiler,
                arguments = command.arguments,
                headers = context.headers,
            ))
    return units

def _units_aspect_impl(target, ctx):
    below = []
    for name in ["deps", "actual"]:
        attribute = getattr(ctx.rule.attr, name, None)
        below += attribute if type(attribute) == "list" else [attribute] if attribute else []
    infos = [dep[_Units] for dep in below if _Units in dep]
    own = []
    for name in ["srcs", "hdrs"]:
        own += [file for file in getattr(ctx.rule.files, name, []) if _is_own(file)]
    return [_Units(
        units = depset(_compilations(target, ctx), transitive = [info.units for info in infos]),
        files = depset(own, transitive = [info.files for info in infos]),
    )]

_units_aspect = aspect(
    implementation = _units_aspect_impl,
    attr_aspects = ["deps", "actual"],
    attrs = {"_cc_toolchain": attr.label(default = "@bazel_tools//tools/cpp:current_cc_toolchain")},
    fragments = ["cpp"],
)

def _strip(ctx, files):
    tree = ctx.actions.declare_directory(ctx.label.name + "_sources")
    arguments = ctx.actions.args()
    arguments.add("--name", _MACROS[ctx.attr.switch])
    arguments.add("--mode", ctx.attr.mode)
    arguments.add("--output", tree.path)
    arguments.add_all(files)
    ctx.actions.run(
        executable = ctx.executable._strip,
        inputs = files,
        outputs = [tree],
        arguments = [arguments],
        mnemonic = "StripSwitch",
        progress_message = "Taking %s out of the sources" % ctx.attr.switch,
    )
    return tree

def _compile(ctx, unit, tree):
    """Compiles the stripped twin of a unit by the unit's own command."""
    object = ctx.actions.declare_file("%s_objects/%s.o" % (ctx.label.name, unit.source.short_path))
    macro = _MACROS[ctx.attr.switch]
    if "-D%s=1" % macro in unit.arguments:
        fail("%s is on in %s" % (ctx.attr.switch, ctx.attr.library.label))
    ctx.actions.run(
        executable = unit.compiler,
        inputs = depset([tree], transitive = [unit.headers]),
        outputs = [object],
        arguments = [
            # First, so that they stand before the folders of the workspace itself.
            "-iquote",
            tree.path,
            "-include",
            tree.path + "/switch_preamble.h",
            "-fmacro-prefix-map=%s/=" % tree.path,
        ] + [
            argument
            for argument in unit.arguments
            if argument != "-D%s=0" % macro or ctx.attr.mode != "removed"
        ] + [
            # What used to be used by the switch's code alone is unused now; a warning makes no code.
            "-w",
            "-c",
            tree.path + "/" + unit.source.path,
            "-o",
            object.path,
        ],
        env = {"PATH": "/usr/bin:/bin"},
        mnemonic = "CompileStripped",
    )
    return object

def _switched_off_impl(ctx):
    info = ctx.attr.library[_Units]
    tree = _strip(ctx, info.files.to_list())
    out = ctx.actions.declare_file(ctx.label.name + ".json")
    arguments = ctx.actions.args()
    arguments.add("--switch", ctx.attr.switch)
    arguments.add("--mode", ctx.attr.mode)
    arguments.add("--library", ctx.attr.library.label.name)
    arguments.add("--output", out)
    inputs = []
    for unit in info.units.to_list():
        if not any(["-D%s=" % _MACROS[ctx.attr.switch] in argument for argument in unit.arguments]):
            continue  # its sources would not compile if they named the switch: flags.h, and -Wundef
        stripped = _compile(ctx, unit, tree)
        inputs += [unit.object, stripped]
        arguments.add(unit.object)
        arguments.add(stripped)
    ctx.actions.run(
        executable = ctx.executable._compare,
        inputs = inputs,
        outputs = [out],
        arguments = [arguments],
        env = {"PATH": "/usr/bin:/bin"},
        mnemonic = "CompareObjects",
    )
    return [DefaultInfo(files = depset([out]), runfiles = ctx.runfiles([out]))]

switched_off = rule(
    implementation = _switched_off_impl,
    attrs = {
        "library": attr.label(
            mandatory = True,
            aspects = [_units_aspect],
            doc = "A shared library built with the switch off.",
        ),
        "switch": attr.string(mandatory = True, values = _MACROS.keys()),
        "mode": attr.string(mandatory = True, values = ["removed", "variable"]),
        "_strip": attr.label(
            default = "//bench/lab/switched_off:strip",
            executable = True,
            cfg = "exec",
        ),
        "_compare": attr.label(
            default = "//bench/lab/switched_off:compare_objects",
            executable = True,
            cfg = "exec",
        ),
    },
    doc = "Compares the objects of a library with those of its sources without a switch.",
)
