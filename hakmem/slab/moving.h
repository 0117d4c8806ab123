/* SPDX-License-Identifier: MIT */
/* A count of slab changes outside of magazine exchanges: by threads without magazines, by frees of sampled blocks,
 * and by purges. A reader of statistics detects an exchange by the thread's sequence number, and these changes by
 * this count. */
#ifndef HAKMEM_SLAB_MOVING_H
#define HAKMEM_SLAB_MOVING_H

#include "hakmem/base/compiler.h"

/* Called before and after each change. Thread-safe; several changes may be in progress at once. */
void hak_moving_begin(void);
void hak_moving_end(void);

/* Called in the child of a fork: changes that other threads had in progress are over. */
void hak_moving_fork_child(void);

/* Stores the number of changes begun so far; false if a change is in progress. If two calls return true and the same
 * number, nothing changed between them. */
bool hak_moving_look(uint64_t *begun);

#endif
