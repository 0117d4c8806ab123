/* SPDX-License-Identifier: MIT */
/* Which program or library an address belongs to, for reports.
 *
 * Read from /proc/self/maps: the loader would have to be asked under its locks. Any thread, with or without locks held;
 * system calls and stack memory only, errno is kept. */
#ifndef HAKMEM_BASE_MODULE_H
#define HAKMEM_BASE_MODULE_H

#include "hakmem/base/compiler.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Enough for where programs are built, which lies deeper than where they are installed; of a longer path "..." and its end,
 * which names the file. */
#define MODULE_PATH_BYTES 480

struct hak_module {
    char path[MODULE_PATH_BYTES];
    uintptr_t offset; /* bytes behind the module's first mapping */
};

/* false where the address lies in no file's mapping, or the mappings cannot be read. */
bool hak_module_find(const void *address, struct hak_module *module);

#ifdef __cplusplus
}
#endif

#endif
