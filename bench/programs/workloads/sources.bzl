# SPDX-License-Identifier: MIT
"""cc_sources: the C sources and headers of a library with all it depends on, for a test that compiles them itself."""

load("@rules_cc//cc/common:cc_info.bzl", "CcInfo")

_UnitsInfo = provider(
    doc = "What a library compiles.",
    fields = {
        "files": "depset of its sources",
        "units": "depset of JSON texts, one a source, with what is defined for it",
    },
)

# Attributes that name libraries; the second is that of //tools/bazel:unswitched.bzl.
_FOLLOWED = ["deps", "unswitched"]

def _collect_impl(target, ctx):
    files, units = [], []
    for source in getattr(ctx.rule.attr, "srcs", []):
        for file in source.files.to_list():
            files.append(file)
            if CcInfo in target and file.extension == "c":
                context = target[CcInfo].compilation_context
                defines = context.defines.to_list() + getattr(ctx.rule.attr, "local_defines", [])
                units.append(json.encode({"source": file.short_path, "defines": defines}))
    below = [
        dep[_UnitsInfo]
        for attribute in _FOLLOWED
        for dep in getattr(ctx.rule.attr, attribute, [])
        if _UnitsInfo in dep
    ]
    return [_UnitsInfo(
        files = depset(files, transitive = [units_info.files for units_info in below]),
        units = depset(units, transitive = [units_info.units for units_info in below]),
    )]

_collect = aspect(
    implementation = _collect_impl,
    attr_aspects = _FOLLOWED,
)

def _without_root(path, ctx):
    """A folder of includes as it is named below the runfiles, where sources and generated files lie side by side."""
    root = ctx.bin_dir.path
    if path == root:
        return "."
    return path[len(root) + 1:] if path.startswith(root + "/") else path

def _cc_sources_impl(ctx):
    context = ctx.attr.library[CcInfo].compilation_context
    includes = {}
    for folders in [context.includes, context.quote_includes, context.system_includes]:
        for folder in folders.to_list():
            # Other repositories, and the folders of tools, are not part of the library.
            if not folder.startswith("external/") and "/external/" not in folder:
                includes[_without_root(folder, ctx)] = True

    # What unswitched files depend on is met once more as they see it.
    units = {}
    for unit in [json.decode(text) for text in ctx.attr.library[_UnitsInfo].units.to_list()]:
        if unit["source"] not in units or "HAK_UNSWITCHED" not in unit["defines"]:
            units[unit["source"]] = unit
    list_file = ctx.actions.declare_file(ctx.label.name + ".json")
    ctx.actions.write(list_file, json.encode({
        "files": [file.short_path for file in
                  depset(transitive = [context.headers, ctx.attr.library[_UnitsInfo].files]).to_list()],
        "includes": includes.keys(),
        "units": units.values(),
    }))
    return [DefaultInfo(runfiles = ctx.runfiles(
        files = [list_file],
        transitive_files = depset(transitive = [context.headers, ctx.attr.library[_UnitsInfo].files]),
    ))]

cc_sources = rule(
    implementation = _cc_sources_impl,
    attrs = {"library": attr.label(
        mandatory = True,
        aspects = [_collect],
        providers = [CcInfo],
        doc = "A cc_library.",
    )},
    doc = "Data: NAME.json beside the target, which lists files, include folders and what is defined for each " +
          "source, and those files at their places in the runfiles.",
)
