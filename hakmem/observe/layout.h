/* SPDX-License-Identifier: MIT */
/* Where hakmem's own data lie in memory, for tools that read a process from outside (tools/cli/memory_map.py).
 *
 * A tool finds the struct by its magic in the writable pages of the file that holds hakmem, and has no other knowledge of this build:
 * neither symbols nor debugging information. All is constant once the file is loaded. */
#ifndef HAKMEM_OBSERVE_LAYOUT_H
#define HAKMEM_OBSERVE_LAYOUT_H

#include "hakmem/base/compiler.h"

#define LAYOUT_MAGIC "hakmem layout 2"

struct layout {
    char magic[16];
    const void *addresses[5]; /* as layout.c has them; the tool has a name for each */
    uint64_t numbers[47];     /* likewise */
};

extern const struct layout hak_layout;

#endif
