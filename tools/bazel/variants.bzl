# SPDX-License-Identifier: MIT
"""Targets stamped for each combination of the switches, side by side in one build.

    load("//tools/bazel:variants.bzl", "hak_all_variants_binary", "hak_all_variants_test")

    hak_all_variants_test(name = "test_calloc", actual = ":test_calloc_binary")

makes test_calloc_none, test_calloc_p0, .. test_calloc_p0_p1_p2_p3: the same target, built sixteen times
under a configuration transition. A single variant is hak_variant_test or hak_variant_binary.

Every variant sets every switch to an absolute value through one transition, so that equal switches mean
one configuration, wherever they are asked for: tests and benchmarks share their object files. Switches
on the command line (--config=p3) make no difference to a variant.
"""

load("//hakmem/flags:flags.bzl", "CHOICES", "EXPERIMENTS", "SHIPPED", FLAG_SWITCHES = "SWITCHES")

# Prefix of the flags' labels, also where this workspace is another's external repository.
FLAGS = str(Label("//hakmem/flags:flags"))[:-len("flags")]
_ALLOWLIST = "@bazel_tools//tools/allowlists/function_transition_allowlist"

SWITCHES = FLAG_SWITCHES.keys()

# A name tells a choice that is not the first by the flag and its value; the classes by the value alone.
_NAMED = {"classes": ""}

def _combination(number, **choices):
    on = [switch for bit, switch in enumerate(SWITCHES) if (number >> bit) % 2]
    chosen = {name: choices.get(name, values[0]) for name, values in CHOICES.items()}
    others = [_NAMED.get(name, name + "_") + value for name, value in chosen.items() if value != CHOICES[name][0]]
    return struct(
        name = "_".join((on or ["none"]) + others),
        config_string = "+".join((on or ["none"]) + [name + "=" + chosen[name] for name, values in EXPERIMENTS.items() if chosen[name] != values[0]]),
        switches = {switch: switch in on for switch in SWITCHES},
        **chosen
    )

# All sixteen combinations, at the spacing pow2, which the steps of the ladder have as well. Fields: name, "p0_p2";
# config_string, "p0+p2" or "p0+p2+learn=elo" as hak_config_string() gives it; switches; classes, table .., values of the flags.
SWITCH_COMBINATIONS = [_combination(number) for number in range(16)]

# The other spacings of classes, each with all switches off and with all on.
SPACING_COMBINATIONS = [_combination(number, classes = classes) for classes in ["fine", "fine16"] for number in [0, 15]]

# What ships, and what no flag on the command line means.
SHIPPED_COMBINATION = _combination(15, classes = SHIPPED["classes"])

# What ships with one experiment flipped. Experiment -> its combinations.
EXPERIMENT_COMBINATIONS = {
    name: [_combination(15, classes = SHIPPED["classes"], **{name: value}) for value in values[1:]]
    for name, values in EXPERIMENTS.items()
}
ALL_EXPERIMENTS = [combination for flipped in EXPERIMENT_COMBINATIONS.values() for combination in flipped]

# Two experiments of which the one changes what the other does: learners by the place in the program.
LEARN_BY_SITE_COMBINATION = _combination(15, classes = SHIPPED["classes"], capacity = "site", learn = "elo")

# The same with each value of guard.
SHIPPED_COMBINATIONS = {guard: _combination(15, classes = SHIPPED["classes"], guard = guard) for guard in ["off", "exact", "full"]}

# Guard beside the other switches: with none of them, where the explicit branches ask the shadow, and with classes of which
# guard leaves out some.
GUARD_COMBINATIONS = [
    _combination(0, guard = "exact"),
    _combination(15, classes = "fine", guard = "exact"),
]

# For runs that are slow a test, --test_tag_filters=-ladder,-guard-full leaves none, what ships and guard exact.
def _tags(combination):
    if combination.guard == "full":
        return ["guard-full"]
    is_everywhere = combination.name in [SWITCH_COMBINATIONS[0].name] + [one.name for one in SHIPPED_COMBINATIONS.values()]
    return [] if is_everywhere else ["ladder"]

def _switch_transition_impl(_settings, attr):
    values = {FLAGS + switch: "on" if getattr(attr, switch) else "off" for switch in SWITCHES}
    values.update({FLAGS + name: getattr(attr, name) for name in CHOICES})
    return values

# Sets every switch to what the attributes of VARIANT_ATTRS say.
variant_transition = transition(
    implementation = _switch_transition_impl,
    inputs = [],
    outputs = [FLAGS + name for name in SHIPPED],
)

def _variant_impl(ctx):
    # A transition makes the attribute a list, here of one.
    wrapped = ctx.attr.actual[0][DefaultInfo]
    executable = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.symlink(
        output = executable,
        target_file = wrapped.files_to_run.executable,
        is_executable = True,
    )

    # The runfiles of `actual` stand below this target's own name as well: programs find their data, and a
    # Python stub its sources, without knowing that they were wrapped.
    runfiles = ctx.runfiles(files = [executable]).merge(wrapped.default_runfiles)
    return [
        DefaultInfo(
            executable = executable,
            files = depset([executable]),
            runfiles = runfiles,
        ),
        testing.TestEnvironment(ctx.attr.env),
    ]

# What a rule under variant_transition takes; by default, what ships.
VARIANT_ATTRS = dict(
    {switch: attr.bool(default = SHIPPED[switch] == "on") for switch in SWITCHES},
    _allowlist_function_transition = attr.label(default = _ALLOWLIST),
    **{name: attr.string(default = SHIPPED[name], values = values) for name, values in CHOICES.items()}
)

def variant_attributes(combination):
    """Values of VARIANT_ATTRS."""
    return dict(combination.switches, **{name: getattr(combination, name) for name in CHOICES})

_ATTRS = dict(
    VARIANT_ATTRS,
    actual = attr.label(
        mandatory = True,
        executable = True,
        cfg = variant_transition,
        doc = "The program to build under the switches.",
    ),
    env = attr.string_dict(doc = "Environment of a test."),
)

hak_variant_binary = rule(
    implementation = _variant_impl,
    attrs = _ATTRS,
    executable = True,
    doc = "A program built with the given switches.",
)

hak_variant_test = rule(
    implementation = _variant_impl,
    attrs = _ATTRS,
    test = True,
    doc = "A test built with the given switches. args, env, size and tags are those of this target.",
)

def _contention_transition_impl(_settings, _attr):
    return {FLAGS + "contention": True}

_contention_transition = transition(
    implementation = _contention_transition_impl,
    inputs = [],
    outputs = [FLAGS + "contention"],
)

_CONTENTION_ATTRS = {
    "actual": attr.label(
        mandatory = True,
        executable = True,
        cfg = _contention_transition,
        doc = "The program to build with counts of contention.",
    ),
    "env": attr.string_dict(doc = "Environment of a test."),
    "_allowlist_function_transition": attr.label(default = _ALLOWLIST),
}

hak_contention_binary = rule(
    implementation = _variant_impl,
    attrs = _CONTENTION_ATTRS,
    executable = True,
    doc = "A program built with --//hakmem/flags:contention.",
)

hak_contention_test = rule(
    implementation = _variant_impl,
    attrs = _CONTENTION_ATTRS,
    test = True,
    doc = "A test built with --//hakmem/flags:contention.",
)

def _shipped_but(**others):
    return {FLAGS + name: value for name, value in dict(SHIPPED, **others).items()}

# What ships, with the rule's guard, and disturbed.
def _disturb_transition_impl(_settings, attr):
    return _shipped_but(guard = attr.guard, disturb = True)

_disturb_transition = transition(
    implementation = _disturb_transition_impl,
    inputs = [],
    outputs = [FLAGS + name for name in SHIPPED] + [FLAGS + "disturb"],
)

hak_disturb_binary = rule(
    implementation = _variant_impl,
    attrs = dict(
        _CONTENTION_ATTRS,
        actual = attr.label(
            mandatory = True,
            executable = True,
            cfg = _disturb_transition,
            doc = "The program to build with delays.",
        ),
        guard = attr.string(default = "off", values = CHOICES["guard"]),
    ),
    executable = True,
    doc = "A program built with --//hakmem/flags:disturb, otherwise as it ships.",
)

# What ships, with all assertions.
def _debug_transition_impl(_settings, _attr):
    return _shipped_but(debug = True)

_debug_transition = transition(
    implementation = _debug_transition_impl,
    inputs = [],
    outputs = [FLAGS + name for name in SHIPPED] + [FLAGS + "debug"],
)

hak_debug_binary = rule(
    implementation = _variant_impl,
    attrs = dict(
        _CONTENTION_ATTRS,
        actual = attr.label(
            mandatory = True,
            executable = True,
            cfg = _debug_transition,
            doc = "The program to build with assertions.",
        ),
    ),
    executable = True,
    doc = "A program built with --//hakmem/flags:debug, otherwise as it ships.",
)

def _usdt_transition_impl(_settings, _attr):
    return {FLAGS + "usdt": "on"}

_usdt_transition = transition(
    implementation = _usdt_transition_impl,
    inputs = [],
    outputs = [FLAGS + "usdt"],
)

hak_usdt_binary = rule(
    implementation = _variant_impl,
    attrs = dict(
        _CONTENTION_ATTRS,
        actual = attr.label(
            mandatory = True,
            executable = True,
            cfg = _usdt_transition,
            doc = "The program to build with probes.",
        ),
    ),
    executable = True,
    doc = "A program built with --//hakmem/flags:usdt=on.",
)

def variant_env(combination):
    """What a test is told about the variant that it runs in, so that it can hold the build against it."""
    return dict({
        "HAK_TEST_CONFIG": combination.config_string,
        "HAK_TEST_CLASSES": combination.classes,
    }, **{"HAK_TEST_" + name.upper(): getattr(combination, name) for name in EXPERIMENTS})

def _stamp(rule, name, actual, combinations, env, tags, none_tags, kwargs):
    for combination in combinations:
        own_tags = none_tags if combination.name == SWITCH_COMBINATIONS[0].name else []
        rule(
            name = name + "_" + combination.name,
            actual = actual,
            env = dict(env, **variant_env(combination)) if rule == hak_variant_test else {},
            tags = tags + own_tags + _tags(combination),
            **dict(kwargs, **variant_attributes(combination))
        )

def hak_all_variants_test(name, actual, combinations = SWITCH_COMBINATIONS, env = {}, tags = [], none_tags = [], **kwargs):
    """NAME_none .. NAME_p0_p1_p2_p3, each the test `actual` built under one combination.

    Args:
      name: prefix of the variants' names.
      actual: an executable, usually a cc_test with the tag "manual".
      combinations: which; SWITCH_COMBINATIONS, SPACING_COMBINATIONS or a part of them.
      env: environment, on top of variant_env.
      tags: of every variant.
      none_tags: further ones of the variant without any switch.
      **kwargs: attributes of each test: args, size, visibility ...
    """
    _stamp(hak_variant_test, name, actual, combinations, env, tags, none_tags, kwargs)

def hak_all_variants_binary(name, actual, combinations = SWITCH_COMBINATIONS, **kwargs):
    """NAME_none .. NAME_p0_p1_p2_p3, each the program `actual` built under one combination."""
    _stamp(hak_variant_binary, name, actual, combinations, {}, [], [], kwargs)
