# SPDX-License-Identifier: MIT
"""The rules behind //:dist and //:deb.

Both pack the same files, which the list below names once. They are those of the drop-in library with its best
switches: the targets set the switches themselves, so the command line's make no difference.
"""

load(
    "//tools/dist:version.bzl",
    "HAKMEM_MAINTAINER",
    "HAKMEM_RELEASE_DATE",
    "HAKMEM_SONAME",
    "HAKMEM_VERSION",
)

_HEADER = "//hakmem:include/hakmem/hakmem.h"

# For C programs that musl-gcc links. Debian's package has none: it is for Debian's own C library.
_MUSL_ARCHIVE = "//tools/dist:musl/libhakmem-musl.a"

# Argument of tarball.py and deb.py -> what it is.
_INPUTS = {
    "shared": "//hakmem/preload:libhakmem.so",
    "guard": "//hakmem/preload:libhakmem-guard.so",
    "guard-full": "//hakmem/preload:libhakmem-guard-full.so",
    "recorder": "//bench/trace:librecorder.so",
    "replay": "//bench/trace:replay",
    "modules": "//tools/dist:hakmem_modules.zip",
    "launcher": "//tools/dist:launcher.py",
    "dashboard": "//tools/dist:dashboard",
    "archive": "//tools/dist:archive",
    "header": _HEADER,
    "man1": "//tools/dist:man1",
    "man3": "//tools/dist:man3",
    "man7": "//tools/dist:man7",
    "bash-completion": "//tools/dist:bash_completion",
    "zsh-completion": "//tools/dist:zsh_completion",
}

def packing_inputs(notices):
    """The files that go into a package, for srcs and data."""
    return _INPUTS.values() + notices

def packing_arguments(notices, function):
    """How tarball.py and deb.py are told about them; `function` is execpath or rootpath."""
    named = ["--%s=$(%s %s)" % (name, function, label) for name, label in _INPUTS.items()]
    named += ["--notice=$(%s %s)" % (function, notice) for notice in notices]
    return named + [
        "--version=" + HAKMEM_VERSION,
        "--soname=" + HAKMEM_SONAME,
        "--date=" + HAKMEM_RELEASE_DATE,
    ]

def man_page(name, page):
    """A manual page from its template, the header and the library's options.

    Args:
      name: name of the target.
      page: "hakmem.3": the file to make, and its template's name without ".j2".
    """
    native.genrule(
        name = name,
        srcs = [
            _HEADER,
            ":options",
        ],
        outs = [page],
        cmd = " ".join([
            "$(execpath :man_page)",
            "--page=" + page,
            "--header=$(execpath %s)" % _HEADER,
            "--options=$(execpath :options)",
            "--version=" + HAKMEM_VERSION,
            "--date=" + HAKMEM_RELEASE_DATE,
            "--output=$@",
        ]),
        tools = [":man_page"],
    )

def tool_doc(name, form, out):
    """What is said about the command hakmem, from its own parser.

    Args:
      name: name of the target.
      form: of tool_docs.py.
      out: the file to make.
    """
    native.genrule(
        name = name,
        outs = [out],
        cmd = " ".join([
            "$(execpath :tool_docs)",
            "--form=" + form,
            "--version=" + HAKMEM_VERSION,
            "--date=" + HAKMEM_RELEASE_DATE,
            "--output=$@",
        ]),
        tools = [":tool_docs"],
    )

def _tree_impl(ctx):
    tree = ctx.actions.declare_directory(ctx.label.name)
    ctx.actions.run_shell(
        mnemonic = "Unpack",
        # Elsewhere than here only the folder above is there.
        command = 'mkdir -p "$2" && tar --extract --no-same-owner --file "$1" --directory "$2"',
        arguments = [ctx.file.tarball.path, tree.path],
        inputs = [ctx.file.tarball],
        outputs = [tree],
        use_default_shell_env = True,
    )
    return [DefaultInfo(files = depset([tree]), runfiles = ctx.runfiles(files = [tree]))]

_tree = rule(
    implementation = _tree_impl,
    attrs = {"tarball": attr.label(mandatory = True, allow_single_file = [".tar"])},
    doc = "A tar archive, unpacked into a folder of the target's name.",
)

def hakmem_packages(tree, tarball, deb, notices):
    """The packages of the drop-in library.

    Args:
      tree: name of the folder that can be used as a prefix.
      tarball: name of the same as an archive, TREE.tar, in which links stay links on any way through Bazel.
      deb: name of the Debian package; the file is hakmem.deb.
      notices: licence files, to be installed too.
    """
    _pack(tarball, tree + ".tar", "//tools/dist:tarball", notices, [], others = {"musl-archive": _MUSL_ARCHIVE})
    _tree(name = tree, tarball = tarball)
    _pack(deb, "hakmem.deb", "//tools/dist:deb", notices, ["'--maintainer=%s'" % HAKMEM_MAINTAINER])

# `others`: more of _INPUTS, which only a build for this machine's processor has: there is no musl-gcc for others.
def _pack(name, out, tool, notices, arguments, others = {}):
    command = ["$(execpath %s)" % tool] + packing_arguments(notices, "execpath") + arguments + ["--output=$@"]
    named = ["--%s=$(execpath %s)" % (other, label) for other, label in others.items()]
    native.genrule(
        name = name,
        srcs = packing_inputs(notices) + select({
            "//tools/bazel:is_cross": [],
            "//conditions:default": others.values(),
        }),
        outs = [out],
        cmd = select({
            "//tools/bazel:is_cross": " ".join(command),
            "//conditions:default": " ".join(command + named),
        }),
        tools = [tool],
    )
