# SPDX-License-Identifier: MIT
"""hakmem_dependencies: the repositories that building hakmem needs, all of them from Debian packages.

docs/use-from-bazel.md says what a workspace writes that uses hakmem as an external repository.
"""

load("//tools/bazel:debian.bzl", "debian_no_coverage", "debian_rules_cc", "debian_rules_python", "debian_rules_shell")

# Each by its own way to make it.
_MADE = {
    "remote_coverage_tools": debian_no_coverage,
    "rules_cc": debian_rules_cc,
    "rules_python": debian_rules_python,
    "rules_shell": debian_rules_shell,
}

# Bazel 4 asks for neither of the last two, and Debian 12 has none of them: a repository that nobody loads from need not be there. Later
# Bazels would download them.
_RULES = {
    "bazel_skylib": "/usr/share/bazel/tools/skylib",
    "rules_java": "/usr/share/bazel/rules/java",
    "rules_proto": "/usr/share/bazel/rules/proto",
    "bazel_features": "/usr/share/bazel/tools/features",
    "rules_license": "/usr/share/bazel/rules/license",
}

def hakmem_dependencies():
    """Defines what is not defined yet, and registers Debian's Python. To be called first in WORKSPACE.

    Rule sets of other repositories would otherwise load the unpatched rules_cc.
    """
    for name, make in _MADE.items():
        if not native.existing_rule(name):
            make(name = name)
    for name, path in _RULES.items():
        if not native.existing_rule(name):
            native.local_repository(name = name, path = path)
    native.register_toolchains("@hakmem//tools/bazel:debian_python_toolchain")
