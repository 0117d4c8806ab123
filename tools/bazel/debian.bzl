# SPDX-License-Identifier: MIT
"""Repository rules that adapt Debian's copies of Bazel's rule sets."""

_RULES_CC = "/usr/share/bazel/rules/cc"

# In Debian 12 and 13 these two files load `use_cpp_toolchain`, which Bazel 4.2.3 does not have yet. Later packages of rules_cc come
# with a Bazel that has it, and without the files.
_NEED_TOOLCHAIN_TYPE = [
    "cc/private/rules_impl/cc_flags_supplier.bzl",
    "cc/private/rules_impl/compiler_flag.bzl",
]

# Where later rules_cc keep what is built into Bazel 4: a file, and the names that it exports.
_BUILT_IN = {
    "cc_common": "cc_common",
    "cc_info": "CcInfo",
}

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
    if not repository_ctx.path("cc/common").exists:
        # A file cannot export a built-in value by that value's own name; another file has to name it first.
        repository_ctx.file("cc/common/BUILD", "")
        repository_ctx.file("cc/common/built_in.bzl", _lines(["built_in_%s = %s" % (name, name) for name in _BUILT_IN.values()]))
        for file, name in _BUILT_IN.items():
            repository_ctx.file("cc/common/%s.bzl" % file, _lines([
                "load(\":built_in.bzl\", \"built_in_%s\")" % name,
                "%s = built_in_%s" % (name, name),
            ]))

debian_rules_cc = repository_rule(
    implementation = _debian_rules_cc_impl,
    doc = "Debian's rules_cc. That of Bazel 4.2.3 has two names replaced which this Bazel lacks, and two files added.",
)

def _lines(lines):
    return "".join([line + "\n" for line in lines])

def _debian_rules_impl(repository_ctx):
    installed = repository_ctx.path(repository_ctx.attr.path)
    if installed.exists:
        for entry in installed.readdir():
            repository_ctx.symlink(entry, entry.basename)
        return
    for file, text in repository_ctx.attr.otherwise.items():
        repository_ctx.file(file, text)
        repository_ctx.file(file.rpartition("/")[0] + "/BUILD", "")

_debian_rules = repository_rule(
    implementation = _debian_rules_impl,
    attrs = {
        "otherwise": attr.string_dict(mandatory = True, doc = "Files that stand for the rule set where it is not installed, and what they hold."),
        "path": attr.string(mandatory = True, doc = "Where Debian's package puts the rule set."),
    },
)

def debian_rules_python(name):
    """Debian's rules_python; without, and Debian 12 and 13 have none, the rules that are built into Bazel 4.

    Args:
      name: of the repository.
    """
    _debian_rules(
        name = name,
        otherwise = {"python/defs.bzl": _lines([
            "load(\"@bazel_tools//tools/python:toolchain.bzl\", built_in_pair = \"py_runtime_pair\")",
            "py_runtime_pair = built_in_pair",
        ] + ["%s = native.%s" % (rule, rule) for rule in ["py_binary", "py_library", "py_runtime", "py_test"]])},
        path = "/usr/share/bazel/rules/python",
    )

def debian_rules_shell(name):
    """The same of rules_shell, of which only sh_test is used here.

    Args:
      name: of the repository.
    """
    _debian_rules(
        name = name,
        otherwise = {"shell/sh_test.bzl": "sh_test = native.sh_test\n"},
        path = "/usr/share/bazel/rules/shell",
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
