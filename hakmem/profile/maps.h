/* SPDX-License-Identifier: MIT */
/* The mappings of the process, read from /proc/self/maps at once: the loader would have to be asked under its locks.
 * Allocates nothing from hakmem. One thread a struct. */
#ifndef HAKMEM_PROFILE_MAPS_H
#define HAKMEM_PROFILE_MAPS_H

#include "hakmem/base/compiler.h"

#ifdef __cplusplus
extern "C" {
#endif

struct maps {
    char *text; /* as the kernel gave it */
    size_t length;
    size_t capacity; /* bytes mapped for it */
};

struct maps_entry {
    uint64_t start, end;
    uint64_t offset; /* in the file */
    uint64_t module; /* start of the first of the mappings of this file that follow each other */
    bool executable;
    const char *path; /* not ended by a 0; empty where it is no file's */
    size_t path_length;
};

/* Result: 0 or an errno value; then there is nothing to free, and no entry. */
int hak_maps_read(struct maps *maps);
void hak_maps_free(struct maps *maps);

/* The entries in ascending order. pre: *position is 0 at first, and *entry what the last call gave. false: no more */
bool hak_maps_next(const struct maps *maps, size_t *position, struct maps_entry *entry);

/* The entry of an address. */
bool hak_maps_find(const struct maps *maps, uint64_t address, struct maps_entry *entry);

#ifdef __cplusplus
}
#endif

#endif
