/* SPDX-License-Identifier: MIT */
/* The first thing that a program does which hakmem is linked into.
 *
 * fork handlers that are registered first are called last before the copy, and first after it. The library to preload begins
 * before every other one (-z initfirst); a program's own constructors run after those of all its libraries, and only this array
 * before them. It is for programs alone: the linker refuses it in a shared library. */
#include "hakmem/base/compiler.h"
#include "hakmem/process/fork.h"

__attribute__((section(".preinit_array"), used)) static void (*const begin_linked)(void) = hak_fork_init;
