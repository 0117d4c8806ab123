# SPDX-License-Identifier: MIT
"""Compiler and linker options of the allocator itself."""

# On x86-64 every object and each shared library says that it is right under shadow stacks: where one library of a process does
# not, the C library leaves them off for all of it. No instruction comes with it. .bazelrc has it off for everything else.
# gold, which Bazel asks for, says it only where all start files do, and Debian's do not.
_X86_64 = "//tools/bazel:is_x86_64"
SHADOW_STACK_LINKOPTS = select({
    _X86_64: [
        "-fuse-ld=bfd",
        "-Wl,-z,shstk",
    ],
    "//conditions:default": [],
})

# Internal names stay internal in a shared library, and every narrowing is written out.
HAKMEM_COPTS = [
    "-fvisibility=hidden",
    "-Wconversion",
] + select({
    _X86_64: ["-fcf-protection=return"],
    "//conditions:default": [],
})
