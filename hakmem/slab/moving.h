/* SPDX-License-Identifier: MIT */
/* Changes of slabs outside of all exchanges: by threads without magazines, by frees of sampled blocks, by purges. Readers of
 * statistics, who see an exchange by its thread's sequence, see these by one count for all, since they are rare. */
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
