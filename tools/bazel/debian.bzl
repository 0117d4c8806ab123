# SPDX-License-Identifier: MIT
"""Repository rules that adapt Debian's copies of Bazel's rule sets."""

_RULES_CC = "/usr/share/bazel/rules/cc"

# In Debian 12 and 13 these two files load `use_cpp_toolchain`, which Bazel 4.2.3 does not have yet. Later packages of rules_cc come
# with a Bazel that has it, and without the files.
_NEED_TOOLCHAIN_TYPE = [
    "cc/private/rules_impl/cc_flags_supplier.bzl",
    "cc/private/rules_impl/compiler_flag.bzl",
]

def _debian_rules_cc_impl(repository_ctx):
    copied = repository_ctx.execute(["cp", "-r", _RULES_CC + "/.", "."])
    if copied.return_code != 0:
        fail("rules_cc is not at %s: run tools/setup (%s)" % (_RULES_CC, copied.stderr))
    for path in _NEED_TOOLCHAIN_TYPE:
        if not repository_ctx.path(path).exists:
            continue
        text = repository_ctx.read(path)
        text = text.replace(", \"use_cpp_toolchain\"", "")
        text = text.replace("use_cpp_toolchain()", "[\"@bazel_tools//tools/cpp:toolchain_type\"]")
        repository_ctx.file(path, text)

debian_rules_cc = repository_rule(
    implementation = _debian_rules_cc_impl,
    doc = "Debian's rules_cc, with the two names replaced that Bazel 4.2.3 lacks.",
)

def _debian_no_coverage_impl(repository_ctx):
    repository_ctx.file("BUILD", """\
filegroup(
    name = "coverage_report_generator",
    visibility = ["//visibility:public"],
)
""")

debian_no_coverage = repository_rule(
    implementation = _debian_no_coverage_impl,
    doc = "Stands for the coverage tool that cc_test asks for even where no coverage is collected; Debian has none.",
)
