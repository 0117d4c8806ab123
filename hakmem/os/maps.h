/* SPDX-License-Identifier: MIT */
/* The mappings of the process, read from /proc/self/maps at once: the loader would have to be asked under its locks.
 * Any thread, with or without locks held, on the way to an abort too; one thread a struct. Keeps errno. */
#ifndef HAKMEM_OS_MAPS_H
#define HAKMEM_OS_MAPS_H

#include "hakmem/base/text.h"

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

/* Adds ": /usr/bin/true+0x11b3" for an address in a file's mapping, else nothing. Of a path longer than MAPS_PATH_MOST "..." and
 * its end, which names the file. */
#define MAPS_PATH_MOST 480
void hak_maps_add_module(struct hak_text *text, const struct maps *maps, uint64_t address);

#ifdef __cplusplus
}
#endif

#endif
