# SPDX-License-Identifier: MIT
"""The build flags that change the allocator: BUILD beside this file makes them, //tools/bazel:variants.bzl sets them."""

# Flag, "off" or "on", and the macro that code sees as 0 or 1.
SWITCHES = {
    "p0": "HAK_P0_CLASS_TABLE",
    "p1": "HAK_P1_BATCHED_STATS",
    "p2": "HAK_P2_INLINE_FAST_PATH",
    "p3": "HAK_P3_SENTINELS",
}

# Flag and its values. The first is what the ladder of the switches is measured with; names of combinations leave it out.
CHOICES = {
    "classes": ["pow2", "fine", "fine16"],
    "granularity": ["1", "8"],
    "inline": ["always", "hot"],
    "magazine": ["full", "half"],
    "guard": ["off", "exact", "full"],
}

# What ships, and what a build is that sets no flag.
SHIPPED = dict(
    {switch: "on" for switch in SWITCHES},
    **dict({name: values[0] for name, values in CHOICES.items()}, classes = "fine16")
)

def switch_defines():
    """Values of all the switches' macros, for the attribute `defines`.

    In unswitched code each is a variable that is defined nowhere, so that code which asks a switch does not link.
    """
    defines = []
    for switch, macro in SWITCHES.items():
        defines += select({
            "//hakmem/flags:unswitched_on": ["%s=hak_unswitched_code_asks_%s" % (macro, switch)],
            "//hakmem/flags:%s_on" % switch: [macro + "=1"],
            "//conditions:default": [macro + "=0"],
        })
    return defines
