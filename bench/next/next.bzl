# SPDX-License-Identifier: MIT
"""What a run of //bench:next starts."""

load("//tools/bazel:variants.bzl", "SHIPPED_COMBINATION")

def measured(combinations):
    """The library and the compiled-in worker of each combination, and of what ships."""
    built = ["//bench:golden/hot_path.json", "//bench:worker_malloc", "//bench/lab:compilation"]
    for combination in [SHIPPED_COMBINATION] + combinations:
        built += ["//bench/lab:libhakmem_" + combination.name, "//bench:worker_hakmem_" + combination.name]
    return built
