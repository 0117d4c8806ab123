/* SPDX-License-Identifier: MIT */
/* Sampled blocks that were freed, for the report of a double free: by which path of calls the block was allocated, and where it was
 * freed first. A table of fixed size; a later block with the same hash replaces an entry.
 *
 * Any thread, without a lock: of two that write the same entry at once, the second gives up its note. Reports read it on the way to
 * an abort. */
#ifndef HAKMEM_SAMPLE_FREED_H
#define HAKMEM_SAMPLE_FREED_H

#include "hakmem/base/compiler.h"
#include "hakmem/sample/record.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FREED_ENTRIES 4096u

/* Notes that a block was freed, which the record counts. pre: block != NULL; every block is sampled, or the entry would be taken
 * for that of the next block at the same address */
void hak_freed_note(const void *block, const struct profile_record *allocated, const void *freed);

/* Forgets all notes. pre: nothing is noted meanwhile */
void hak_freed_clear(void);

/* Calls visit for the table's memory. */
void hak_freed_visit(void (*visit)(void *start, size_t size, void *argument), void *argument);

/* false: nothing is known of the block. */
bool hak_freed_find(const void *block, const struct profile_record **allocated, const void **freed);

#ifdef __cplusplus
}
#endif

#endif
