# SPDX-License-Identifier: MIT
"""preload_test: programs that know nothing of hakmem, run with libhakmem.so preloaded, a case each."""

load("@rules_python//python:defs.bzl", "py_test")

LIBRARY = "//hakmem/preload:libhakmem.so"
GUARD_LIBRARY = "//hakmem/preload:libhakmem-guard.so"
GUARD_FULL_LIBRARY = "//hakmem/preload:libhakmem-guard-full.so"

def preload_case(
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
        data = []):
    """Runs `program` under the library, and checks that the library really served it.

    The dynamic linker says which library every name was bound to; all names of malloc's family must lead to
    libhakmem.so, from whichever library.

    Args:
      name: name of the case.
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

    Returns:
      The case, for preload_test.
    """
    args = ["--case", name, "--status", status]
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
    if not plain:
        args += ["--library", "$(location %s)" % library]
    return struct(
        args = args + ["$(location %s)" % program] + program_args,
        data = [program] + ([] if plain else [library]) + before + after + data,
    )

def preload_test(name, cases, size = "small", tags = [], **kwargs):
    """One test of all these cases: a test each would take longer to begin than most of them run.

    Args:
      name: name of the test.
      cases: results of preload_case.
      size: as for every test.
      tags: as for every test.
      **kwargs: other attributes of every test.
    """
    py_test(
        name = name,
        size = size,
        srcs = ["//tests/preload:run_preloaded.py"],
        args = [arg for case in cases for arg in case.args],
        data = depset([file for case in cases for file in case.data]).to_list(),
        main = "//tests/preload:run_preloaded.py",
        tags = tags + ["no-sanitizer"],  # which bring a malloc of their own
        deps = ["//tests/preload:preloaded"],
        **kwargs
    )
