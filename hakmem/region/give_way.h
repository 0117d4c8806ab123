/* SPDX-License-Identifier: MIT */
/* Giving way: a process that has a limit on its address space, or is about to lock all that it has mapped, gets back what the
 * flat tables reserve. 2 GiB, with guard 8 TiB, of which hardly anything is used, would be refused or locked.
 *
 * 1. Page map and shadow become of the limited form: every free that begins from now on takes the cold path.
 * 2. What was given out until then is kept (space/units.h): a free that began before, with a pointer that its thread had, may
 *    read the entry still. Whoever gets a block later knows of 1, by way of the same words.
 * 3. All other entries are unmapped, for good.
 *
 * It is done once, before the limit is set (preload/limits.c) or when memory is refused, and never undone: the limit may be
 * lifted, but the addresses can be others' by then. */
#ifndef HAKMEM_REGION_GIVE_WAY_H
#define HAKMEM_REGION_GIVE_WAY_H

#include "hakmem/base/compiler.h"

/* Whether the tables have to give way to that limit on address space. */
bool hak_give_way_is_due(uint64_t limit);

/* Whether a refusal may be for want of addresses: the process has a limit on them. */
bool hak_give_way_may_help(void);

/* false: they gave way before, or there are none. pre: under the region lock */
bool hak_give_way_tables(void);

/* Notes which process this is: at the start, and after fork. A child that vfork made is not the process of the memory that it
 * runs in, and must leave that alone. */
void hak_give_way_note_process(void);
bool hak_give_way_is_process(void);

#endif
