/* SPDX-License-Identifier: MIT */
/* The mappings of the process, read from /proc/self/maps in one go. The loader is not asked, because that takes its
 * locks.
 *
 * Any thread may call these functions, with or without locks held, also on the way to an abort. A struct maps belongs
 * to one thread. errno is kept. */
#ifndef HAKMEM_OS_MAPS_H
#define HAKMEM_OS_MAPS_H

#include "hakmem/base/text.h"

#ifdef __cplusplus
extern "C" {
#endif

struct maps {
    char *text; /* the file's content, unchanged */
    size_t length;
    size_t capacity; /* bytes mapped for the text */
};

struct maps_entry {
    uint64_t start, end;
    uint64_t offset; /* in the file */
    uint64_t module; /* start of the first mapping in this run of mappings of the same file */
    bool readable, writable, executable;
    const char *path; /* not terminated by a 0; empty if no file is mapped */
    size_t path_length;
};

/* Reads all mappings. Returns 0 or an errno value; after an error *maps has no entry and need not be freed. */
int hak_maps_read(struct maps *maps);
void hak_maps_free(struct maps *maps);

/* Gives the next entry in ascending order of address; false at the end. pre: *position is 0 for the first call, and
 * *entry is unchanged since the last one */
bool hak_maps_next(const struct maps *maps, size_t *position, struct maps_entry *entry);

/* The build id of the file that an entry maps, as hexadecimal text without a 0 behind it, read from the mapped file itself: the one
 * on the disk may be another by now. Result: its length; 0: none, or no ELF file. `memory` is a descriptor of /proc/self/mem */
#define MAPS_BUILD_ID_MOST 128
size_t hak_maps_build_id(int memory, const struct maps_entry *entry, char text[MAPS_BUILD_ID_MOST]);

/* Appends ": /usr/bin/true+0x11b3" if the address lies in a mapping of a file, else nothing. A path longer than
 * MAPS_PATH_MOST is shortened to "..." and its end, because the end names the file. */
#define MAPS_PATH_MOST 480
void hak_maps_add_module(struct hak_text *text, const struct maps *maps, uint64_t address);

#ifdef __cplusplus
}
#endif

#endif
