# SPDX-License-Identifier: MIT
"""hak_test: a test program of the allocator, run with no switch, as shipped and with guard, or in every combination."""

load("@rules_cc//cc:defs.bzl", "cc_test")
load("//tools/bazel:switchless.bzl", "switchless_library")
load("//tools/bazel:variants.bzl", "EXPERIMENT_COMBINATIONS", "LEARN_BY_SITE_COMBINATION", "SHIPPED_COMBINATION", "SHIPPED_COMBINATIONS", "SPACING_COMBINATIONS", "SWITCH_COMBINATIONS", "hak_all_variants_test")

_OTHER_SPACINGS = [
    combination
    for combination in SPACING_COMBINATIONS
    if all(combination.switches.values()) and combination.name != SHIPPED_COMBINATION.name
]

# Tests of one thread, which ThreadSanitizer has nothing to say about, and takes long for. //tests/harness:one_thread ends them
# if they begin another. Those with a guard of their own, or without the allocator, are not here.
ONE_THREAD = [
    "test_address_bits",
    "test_aligned",
    "test_calloc",
    "test_config",
    "test_errors",
    "test_front",
    "test_huge_clear",
    "test_huge_model",
    "test_kept",
    "test_kept_huge",
    "test_kept_model",
    "test_large_pages",
    "test_misuse",
    "test_node",
    "test_own_thread_steps",
    "test_place_draws",
    "test_places",
    "test_profile",
    "test_profile_realloc",
    "test_publish_thread",
    "test_purge_bound",
    "test_purge_poll",
    "test_purge_slabs",
    "test_purge_thread",
    "test_realloc",
    "test_region_bitmap",
    "test_region_edges",
    "test_region_model",
    "test_region_place",
    "test_region_purge",
    "test_region_visits",
    "test_runs",
    "test_slab_purge",
    "test_stack",
    "test_steady_state",
    "test_thinning",
    "test_tiny_size_class",
]

# Tests of code that no switch changes, whatever the sizes of the classes, and of what builds without switches have not: they do not
# run there. docs/decisions/007 says why nothing is lost.
UNSWITCHED = [
    # Regions and kept mappings.
    "test_address_bits",
    "test_kept",
    "test_kept_huge",
    "test_kept_model",
    "test_large_pages",
    "test_node",
    "test_place_draws",
    "test_places",
    "test_region",
    "test_region_bitmap",
    "test_region_edges",
    "test_region_model",
    "test_region_place",
    "test_region_purge",
    "test_region_visits",
    "test_runs",
    # Huge blocks, and slabs below the magazines.
    "test_huge_clear",
    "test_huge_model",
    "test_slab_edges",
    "test_slab_purge",
    # Purging, the allocator's own threads, copies of the process.
    "test_fork_copy",
    "test_own_thread",
    "test_own_thread_steps",
    "test_purge_bound",
    "test_purge_child",
    "test_purge_late",
    "test_purge_poll",
    "test_purge_slabs",
    "test_purge_thread",
    "test_purge_wait",
    "test_purge_way",
    # What is published and written, and the profile's tables.
    "test_at_exit",
    "test_hooks_cxx",
    "test_profile_child",
    "test_publish_child",
    "test_publish_thread",
    "test_published",
    "test_read_threads",
    "test_stack_table",
    "test_thinning",
    # Room that only P3 packs; assertions, which only debug builds have; and the long run, whose calls //tests/stress makes as well.
    "test_interrupted",
    "test_packed",
    "test_soak",
    # The parser of options.
    "test_options",
]

# Tests of code that guard exact does not change either.
UNGUARDED = [
    "test_fork_copy",
    "test_hooks_cxx",
    "test_huge_clear",
    "test_kept_model",
    "test_own_thread_steps",
    "test_publish_thread",
    "test_published",
    "test_purge_late",
    "test_read_threads",
    "test_region_bitmap",
    "test_runs",
    "test_stack_table",
]

def hak_test(
        name,
        srcs,
        deps = [],
        data = [],
        is_switchless = False,
        spacings = False,
        guards = ["exact"],
        reentrant = False,
        every_switch = False,
        sanitize_none = None,
        experiments = [],
        env = {},
        args = [],
        linkopts = [],
        size = "small",
        tags = []):
    """NAME_none but for UNSWITCHED, NAME_p0_p1_p2_p3_fine16 as shipped, the same with _guard_exact but for UNGUARDED, and NAME itself
    for the switches of the command line.

    NAME is tagged "manual", so that `bazel test //...` runs each combination once. NAME_variants is the suite of all. Which
    tests find what only other combinations show, and so run in all: docs/decisions/007-which-combination-catches-what.md.

    Args:
      name: name of the test.
      srcs: C or C++ files with HAK_TESTs.
      deps: libraries on top of the allocator and the harness.
      data: files and programs that the test reads or runs; they are built under the same switches.
      is_switchless: whether srcs see no switch, as a test of the public interface alone; they are compiled once then.
      spacings: also run, with all switches on, under all other spacings of the classes.
      experiments: also run as shipped with each other value of these experiments: for what they change.
      guards: values of guard, other than off, to run under as well, with the other switches as shipped.
      reentrant: in debug builds every slow path allocates and frees a block of each class (//tests/harness:reentry).
      env: environment.
      args: arguments.
      every_switch: also run in all sixteen combinations: for what a switch changes.
      sanitize_none: whether NAME_none runs under the sanitizers too; by default where every_switch is set. What no switch
        changes would find nothing there that the shipped build does not.
      linkopts: for what the test puts in the place of the allocator's own functions.
      size: as for every test.
      tags: as for every test.
    """
    harness = [
        "//tests/harness",
        "//tests/harness:census",
    ]
    if name in ONE_THREAD:
        harness = harness + ["//tests/harness:one_thread"]
        tags = tags + ["one-thread"]
    if is_switchless:
        switchless_library(
            name = name + "_cases",
            testonly = 1,
            srcs = srcs,
            alwayslink = 1,  # they register themselves
            deps = deps + harness + ["//hakmem:api"],
        )
    cc_test(
        name = name,
        size = size,
        srcs = [] if is_switchless else srcs,
        args = args,
        data = data,
        linkopts = linkopts,
        linkstatic = 1,  # -Wl,--wrap of the fakes needs the library's objects in the program
        tags = tags + ["manual"],
        deps = ([":%s_cases" % name] if is_switchless else deps) + ["//hakmem"] + harness +
               (["//tests/harness:reentry"] if reentrant else []),
    )
    combinations = SWITCH_COMBINATIONS if every_switch else [] if name in UNSWITCHED else SWITCH_COMBINATIONS[:1]
    combinations = combinations + [SHIPPED_COMBINATION]
    combinations += [SHIPPED_COMBINATIONS[guard] for guard in guards if name not in UNGUARDED]
    combinations += _OTHER_SPACINGS if spacings else []
    combinations += [flipped for experiment in experiments for flipped in EXPERIMENT_COMBINATIONS[experiment]]
    combinations += [LEARN_BY_SITE_COMBINATION] if "learn" in experiments and "capacity" in experiments else []
    hak_all_variants_test(
        name = name,
        size = size,
        actual = ":" + name,
        args = args,
        combinations = combinations,
        env = env,
        none_tags = [] if (every_switch if sanitize_none == None else sanitize_none) else ["no-sanitizer"],
        tags = tags,
    )
    native.test_suite(
        name = name + "_variants",
        tests = [name + "_" + combination.name for combination in combinations],
    )

# What most tests use.
HELPERS = [
    "//hakmem/base:random",
    "//hakmem/os",
    "//tests/harness:pattern",
    "//tests/harness:system",
    "//tests/harness:threads",
]

# Features of guard full without those that make a block's usable size other than its class's, and without the one that keeps
# freed blocks from their slabs: what tests of these things run under.
SIZES_AS_CLASSES = "zero,check,quarantine,random,pages,metadata"
NOTHING_WAITS = "zero,check,random,pages,metadata"

def hak_full_test(name, features = "all", args = [], size = "small", tags = []):
    """NAME_p0_p1_p2_p3_fine16_guard_full: the hak_test NAME, built with guard full, with some of its features.

    Args:
      name: of the hak_test.
      features: for HAKMEM_GUARD.
      args: arguments.
      size: as for every test.
      tags: as for every test.
    """
    hak_all_variants_test(
        name = name,
        size = size,
        actual = ":" + name,
        args = args,
        combinations = [SHIPPED_COMBINATIONS["full"]],
        env = {"HAKMEM_GUARD": features},
        tags = tags,
    )
