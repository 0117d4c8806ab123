# SPDX-License-Identifier: MIT
"""python_sources: the Python files of targets and of all that they depend on, as data; nothing is built for it."""

def _python_sources_impl(ctx):
    files = depset(transitive = [target[PyInfo].transitive_sources for target in ctx.attr.targets])
    return [DefaultInfo(files = files, runfiles = ctx.runfiles(transitive_files = files))]

python_sources = rule(
    implementation = _python_sources_impl,
    attrs = {"targets": attr.label_list(mandatory = True, providers = [PyInfo])},
)
