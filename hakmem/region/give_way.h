/* SPDX-License-Identifier: MIT */
/* Giving way: unmapping what the flat tables reserve (2 GiB, with guard 8 TiB), of which hardly anything is used, and in
 * the full guard build the addresses of blocks of size 0, as long as few are used. Under a limit on the address space the
 * reservations would leave the program no room, and mlockall would lock them.
 *
 * 1. Page map and shadow switch to their limited form, so every free that begins from now on takes the cold path.
 * 2. The entries of all units that blocks were allocated in stay mapped (space/units.h), because a free that began
 *    before step 1 may still read the entry of its pointer. A block that is allocated later comes with the knowledge of
 *    step 1: both are published by the same words.
 * 3. All other entries are unmapped.
 *
 * It happens once, before the limit is set (preload/limits.c) or when the system refuses memory. It is not undone when
 * the limit is lifted: the addresses may be in use by then. */
#ifndef HAKMEM_REGION_GIVE_WAY_H
#define HAKMEM_REGION_GIVE_WAY_H

#include "hakmem/base/compiler.h"

/* Whether a limit on address space of that many bytes requires the tables to give way. */
bool hak_give_way_is_due(uint64_t limit);

/* Whether giving way may help after memory was refused: the process has a limit on address space. */
bool hak_give_way_may_help(void);

/* Makes the flat tables and the blocks of size 0 give way; false if they did before. pre: under the region lock */
bool hak_give_way_tables(void);

/* Notes which process this is: at the start, and after fork. A child that vfork made is not the process of the memory
 * that it runs in, and must leave that alone. */
void hak_give_way_note_process(void);
bool hak_give_way_is_process(void);

#endif
