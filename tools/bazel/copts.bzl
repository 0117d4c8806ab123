# SPDX-License-Identifier: MIT
"""Compiler options of the allocator itself."""

# Internal names stay internal in a shared library, and every narrowing is written out.
HAKMEM_COPTS = [
    "-fvisibility=hidden",
    "-Wconversion",
]
