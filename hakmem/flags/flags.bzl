# SPDX-License-Identifier: MIT
"""The build flags that change the allocator: BUILD beside this file makes them, //tools/bazel:variants.bzl sets them.

Also read as Python, by builds without Bazel and by the benches: only a `load` or a call at the top would prevent that.
"""

# Flag, "off" or "on", and the macro that code sees as 0 or 1.
SWITCHES = {
    "p0": "HAK_P0_CLASS_TABLE",
    "p1": "HAK_P1_BATCHED_STATS",
    "p2": "HAK_P2_INLINE_FAST_PATH",
    "p3": "HAK_P3_SENTINELS",
}

# Experiments: flag and its values. The first is what ships.
EXPERIMENTS = {
    "table": ["1025", "129", "65"],
    "inline": ["always", "hot"],
    "magazine": ["full", "half"],
    "counts": ["exchange", "64", "1024"],
    "drain": ["exhausted", "opportunistic"],
    "promote": ["later", "at_once"],
    "capacity": ["class", "fixed", "site"],
    "learn": ["off", "elo"],
}

# Of an experiment that code sees: the macro, which is 0 in what ships, and what it is with each other value.
EXPERIMENT_MACROS = {
    "inline": ("HAK_INLINE_HOT", {"hot": 1}),
    "magazine": ("HAK_MAGAZINE_HALF", {"half": 1}),
    "counts": ("HAK_COUNTS_EVERY", {"64": 64, "1024": 1024}),
    "drain": ("HAK_DRAIN_OPPORTUNISTIC", {"opportunistic": 1}),
    "promote": ("HAK_PROMOTE_AT_ONCE", {"at_once": 1}),
    "capacity": ("HAK_CAPACITY", {"fixed": 1, "site": 2}),
    "learn": ("HAK_LEARN", {"elo": 1}),
}

# Flag and its values. The first is what the ladder of the switches is measured with; names of combinations leave it out.
CHOICES = dict(
    {"classes": ["pow2", "fine", "fine16"]},
    **dict(EXPERIMENTS, guard = ["off", "exact", "full"])
)

# What ships, and what a build is that sets no flag.
SHIPPED = dict(
    {switch: "on" for switch in SWITCHES},
    **dict({name: values[0] for name, values in CHOICES.items()}, classes = "fine16")
)

def switch_defines():
    """Values of the macros of all switches and experiments, for the attribute `defines`.

    In unswitched code each is a variable that is defined nowhere, so that code which asks a switch does not link. A macro
    of an experiment that is not defined is 0: flags.h.
    """
    defines = []
    for switch, macro in SWITCHES.items():
        defines += select({
            "//hakmem/flags:unswitched_on": ["%s=hak_unswitched_code_asks_%s" % (macro, switch)],
            "//hakmem/flags:%s_on" % switch: [macro + "=1"],
            "//conditions:default": [macro + "=0"],
        })
    for name, (macro, numbers) in EXPERIMENT_MACROS.items():
        chosen = {"//hakmem/flags:%s_%s" % (name, value): ["%s=%d" % (macro, number)] for value, number in numbers.items()}
        defines += select(dict(chosen, **{"//conditions:default": []}))
    return defines
