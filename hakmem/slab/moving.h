/* SPDX-License-Identifier: MIT */
/* One count of the changes of slabs that happen outside of exchanges: by threads without magazines, by frees of sampled blocks, and
 * by purges. A reader of statistics notices an exchange by the sequence of its thread, and these rare changes by this count. */
#ifndef HAKMEM_SLAB_MOVING_H
#define HAKMEM_SLAB_MOVING_H

#include "hakmem/base/compiler.h"

/* Around each change. Any thread; several may be under way. */
void hak_moving_begin(void);
void hak_moving_end(void);

/* In the child of a fork: what other threads had under way is over. */
void hak_moving_fork_child(void);

/* How many began so far; where that is as it was, and each time nothing was under way, nothing changed in between.
 * false: one is under way */
bool hak_moving_look(uint64_t *begun);

#endif
