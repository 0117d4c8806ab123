# SPDX-License-Identifier: MIT
"""The drop-in libraries are built with the shipped switches, whatever the command line says."""

load("//tools/bazel:variants.bzl", "SHIPPED_COMBINATIONS", "hak_variant_binary", "variant_attributes")

def drop_in_binary(name, actual, guard = "off"):
    """The program or shared object `actual` under the shipped switches."""
    hak_variant_binary(name = name, actual = actual, **variant_attributes(SHIPPED_COMBINATIONS[guard]))
