/* SPDX-License-Identifier: MIT */
/* Takes the active slabs of idle threads away, so that their free pages decay like those of any slab that nobody owns. A
 * thread is idle that made no exchange for the decay time; what its magazines hold stays. */
#ifndef HAKMEM_MAGAZINE_IDLE_H
#define HAKMEM_MAGAZINE_IDLE_H

#include <stdbool.h>

#include "hakmem/region/decay.h"

/* Detaches the active slabs of all threads but the caller that have been idle since `freed_until_ms` of the pass, or of
 * all others in a pass over everything. pre: the caller has the purge lock and none of a higher rank */
void hak_idle_take_slabs(const struct decay_pass *pass);

/* Whether the last call found threads that had not been idle for long enough. Any thread; a hint. */
bool hak_idle_is_pending(void);

#endif
