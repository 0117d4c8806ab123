# SPDX-License-Identifier: MIT
"""source_files: the source files of a folder of the workspace out of which targets are built, whatever package they are in."""

_Sources = provider(fields = ["files"])

def _collect_impl(target, ctx):
    direct = []
    below = []
    for attribute in ["srcs", "hdrs", "deps", "interface", "unswitched", "malloc", "library", "binary", "actual"]:
        value = getattr(ctx.rule.attr, attribute, None)
        for one in value if type(value) == "list" else [value] if value else []:
            if type(one) != "Target":
                continue
            if _Sources in one:
                below.append(one[_Sources].files)
            elif attribute in ["srcs", "hdrs"]:
                direct += [file for file in one[DefaultInfo].files.to_list() if file.is_source]
    return [_Sources(files = depset(direct, transitive = below))]

_collect = aspect(
    implementation = _collect_impl,
    attr_aspects = ["*"],
)

def _source_files_impl(ctx):
    files = depset(transitive = [target[_Sources].files for target in ctx.attr.targets])
    chosen = [file for file in files.to_list() if file.short_path.startswith(ctx.attr.folder + "/")]
    return [DefaultInfo(files = depset(chosen), runfiles = ctx.runfiles(chosen))]

source_files = rule(
    implementation = _source_files_impl,
    attrs = {
        "folder": attr.string(mandatory = True),
        "targets": attr.label_list(mandatory = True, aspects = [_collect]),
    },
)
