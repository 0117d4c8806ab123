# SPDX-License-Identifier: MIT
"""Macros of the benchmarks: one worker a contender, one program a benchmark, and all sixteen variants of each."""

load("@bazel_skylib//rules:write_file.bzl", "write_file")
load("@rules_cc//cc:defs.bzl", "cc_binary")
load("@rules_python//python:defs.bzl", "py_binary", "py_test")
load("//tools/bazel:switchless.bzl", "switchless_library")
load("//tools/bazel:unswitched.bzl", "hak_library")
load("//tools/bazel:variants.bzl", "SWITCH_COMBINATIONS", "hak_variant_binary")

def _worker_srcs():
    """The worker and its workloads: a new file of either is part of every worker."""
    return native.glob(
        ["worker/**/*.c", "worker/**/*.h"],
        exclude = ["worker/*_test.c", "worker/probe_main.c"],
    )

# What calls the contender itself or names its switches, beside the workloads.
_CALLING = ["worker/%s.c" % name for name in ["contender", "fail", "hot_path_probes", "report"]]

def _headers():
    return native.glob(["worker/**/*.h"])

def _calling_srcs():
    """Files that a switch changes."""
    return native.glob(["worker/workloads/*.c"]) + _CALLING

# The C++ library, which the toolchain adds to every program, would allocate before main.
_LINKOPTS = [
    "-lpthread",
    "-Wl,--as-needed",
]

_DEPS = [
    "//hakmem/base:atomic",
    "//hakmem/base:compiler",
    "//hakmem/base:contention",
    "//hakmem/base:lock",
    "//hakmem/base:random",
]

def _defines(contender):
    return [
        "_GNU_SOURCE",
        "BENCH_CONTENDER=" + contender,
    ]

def _calling_program(name, contender, calling, unswitched, deps, **kwargs):
    """A program that calls one contender: the files `calling`, which a switch changes, and others."""
    hak_library(
        name = name + "_main",
        srcs = calling + _headers(),
        unswitched_srcs = unswitched,
        alwayslink = True,  # all, as where they are the program's own
        local_defines = _defines(contender),
        deps = deps + _DEPS,
    )
    cc_binary(
        name = name,
        linkopts = _LINKOPTS,
        deps = [":%s_main" % name],
        **kwargs
    )

def bench_worker(name, contender, deps = [], **kwargs):
    """The workloads compiled for one contender.

    Args:
      name: of the executable.
      contender: a name of bench/worker/contender.h, "BENCH_GLIBC".
      deps: libraries of the contender.
      **kwargs: further attributes of cc_binary.
    """
    calling = _calling_srcs()
    unswitched = [file for file in _worker_srcs() if file not in calling + _headers()]
    _calling_program(name, contender, calling, unswitched, deps, **kwargs)

def bench_probe(name, contender, deps):
    """The probes of the hot path as a program of their own.

    Args:
      name: of the executable.
      contender: a name of bench/worker/contender.h.
      deps: libraries of the contender.
    """
    calling = ["worker/%s.c" % part for part in ["contender", "fail", "hot_path_probes"]]
    _calling_program(name, contender, calling, ["worker/hot_path.c", "worker/probe_main.c"], deps)

def bench_shared_worker(name, contender, library, deps):
    """The workloads compiled for one contender that they call in a shared object: once, whatever its switches.

    Args:
      name: of the executable.
      contender: a name of bench/worker/contender.h.
      library: the shared object.
      deps: its headers.
    """
    switchless_library(
        name = name + "_main",
        srcs = _worker_srcs(),
        alwayslink = 1,  # all, in this order, as where they are the program's own
        local_defines = _defines(contender),
        deps = deps + _DEPS,
    )
    cc_binary(
        name = name,
        srcs = [library],
        linkopts = _LINKOPTS,
        deps = [":%s_main" % name],
    )

def bench_peer_worker(name, contender, **kwargs):
    """A worker that no switch of hakmem changes: built once, whatever variant asks for it."""
    bench_worker(
        name = name + "_build",
        contender = contender,
        tags = ["manual"],
        **kwargs
    )
    hak_variant_binary(
        name = name,
        actual = ":" + name + "_build",
    )

# The steps of the ladder, each built through the variants.
LADDER_STEPS = ["none", "p0", "p0_p1", "p0_p1_p2", "p0_p1_p2_p3"]

# Where a program needs the probes of every combination.
PROBE_VARIANTS = [":probe_hakmem_" + combination.name for combination in SWITCH_COMBINATIONS]

# Where a program needs the compiled-in worker of every combination.
WORKER_VARIANTS = [":worker_hakmem_" + combination.name for combination in SWITCH_COMBINATIONS]

# Every benchmark with its switches fixed, at the ladder's steps and one that is none of them; `bazel build //bench:all` has all.
TESTED_PROGRAM_VARIANTS = [
    ":%s_%s" % (name, combination)
    for name in ["allocators", "tiny", "tiny_mt"]
    for combination in LADDER_STEPS + ["p1_p3"]
]

def _program(name, variant, switches, visibility):
    write_file(
        name = name + variant + "_program",
        out = name + variant + ".py",
        content = [
            '"""//bench:%s%s: a row of bench/commands/benchmarks.py with hakmem\'s switches %s."""' %
            (name, variant, switches),
            "from bench.commands import benchmarks",
            "",
            'if __name__ == "__main__":',
            '    benchmarks.run("%s", "%s")' % (name, variant),
            "",
        ],
    )
    py_binary(
        name = name + variant,
        srcs = [name + variant + ".py"],
        data = [
            ":worker_glibc",
            ":worker_hakmem" + variant,
            ":worker_hakmem_shared" + variant,
            ":worker_mimalloc",
        ],
        python_version = "PY3",
        visibility = visibility,
        deps = [":commands"],
    )

def bench_program(name, visibility = None):
    """A benchmark: `bazel run //bench:NAME`, and NAME_none .. NAME_p0_p1_p2_p3 with the switches fixed.

    NAME measures hakmem as the command line's flags have it. In the variants the transition stands below the
    workers: the programs only differ in which workers they start, and share everything else.

    Args:
      name: of the benchmark, a row of commands/benchmarks.py.
      visibility: of the benchmark and its variants.
    """
    _program(name, "", "as the command line has them", visibility)
    for combination in SWITCH_COMBINATIONS:
        _program(name, "_" + combination.name, "fixed to " + combination.config_string, visibility)

def bench_test(name, program = None, parts = [], size = "small", **kwargs):
    """A test of the programs: commands/PROGRAM.py, by default commands/NAME.py, which may load other tests, its parts."""
    main = "commands/%s.py" % (program or name)
    py_test(
        name = name,
        srcs = [main] + ["commands/%s.py" % part for part in parts],
        size = size,
        main = main,
        python_version = "PY3",
        deps = [":commands"],
        **kwargs
    )
