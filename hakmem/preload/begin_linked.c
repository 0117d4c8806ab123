/* SPDX-License-Identifier: MIT */
/* Registers the fork handlers before any constructor of a program that hakmem is linked into.
 *
 * The handlers that are registered first are called last before the copy of the process, and first after it; ours must be those.
 * The preloaded library is initialised before all others (-z initfirst). In a linked program the constructors of all libraries
 * run before the program's own, and only .preinit_array runs before them. The linker refuses that section in shared
 * libraries, so this file is linked into programs only. */
#include "hakmem/base/compiler.h"
#include "hakmem/process/fork.h"

__attribute__((section(".preinit_array"), used)) static void (*const begin_linked)(void) = hak_fork_init;
