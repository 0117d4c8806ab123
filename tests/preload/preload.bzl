# SPDX-License-Identifier: MIT
"""preload_test: a program that knows nothing of hakmem, run with libhakmem.so preloaded."""

load("@rules_python//python:defs.bzl", "py_test")

LIBRARY = "//hakmem/preload:libhakmem.so"
GUARD_LIBRARY = "//hakmem/preload:libhakmem-guard.so"
GUARD_FULL_LIBRARY = "//hakmem/preload:libhakmem-guard-full.so"

def preload_test(
        name,
        program,
        before = [],
        after = [],
        environment = {},
        status = "0",
        stderr = None,
        may_bypass = False,
        plain = False,
        library = LIBRARY,
        program_args = [],
        data = [],
        size = "small",
        tags = [],
        **kwargs):
    """Runs `program` under the library, and checks that the library really served it.

    The dynamic linker says which library every name was bound to; all names of malloc's family must lead to
    libhakmem.so, from whichever library.

    Args:
      name: name of the test.
      program: the executable. Where it ends with status 0, its last line must be "N checks passed".
      before: shared libraries to preload before libhakmem.so.
      after: the same, behind it.
      environment: variables for the program.
      status: how it must end: a number, or the name of a signal.
      stderr: regular expression that its standard error must hold; None: it must be empty.
      may_bypass: some names may be bound elsewhere (another allocator in front, RTLD_DEEPBIND).
      plain: run without libhakmem.so.
      library: what is preloaded as libhakmem.so: LIBRARY, GUARD_LIBRARY or GUARD_FULL_LIBRARY.
      program_args: the program's arguments.
      data: files that it reads.
      size: as for every test.
      tags: as for every test.
      **kwargs: other attributes of every test.
    """
    args = ["--status", status]
    for other in before:
        args += ["--before", "$(location %s)" % other]
    for other in after:
        args += ["--after", "$(location %s)" % other]
    for variable, value in environment.items():
        args += ["--env", "%s=%s" % (variable, value)]
    if stderr != None:
        args += ["--stderr", "'%s'" % stderr]
    if may_bypass:
        args.append("--may-bypass")
    libraries = [] if plain else [library]
    if not plain:
        args += ["--library", "$(location %s)" % library]
    py_test(
        name = name,
        size = size,
        srcs = ["//tests/preload:run_preloaded.py"],
        args = args + ["$(location %s)" % program] + program_args,
        data = depset([program] + libraries + before + after + data).to_list(),
        main = "//tests/preload:run_preloaded.py",
        tags = tags + ["no-sanitizer"],  # which bring a malloc of their own
        deps = ["//tests/preload:preloaded"],
        **kwargs
    )
