/* SPDX-License-Identifier: MIT */
/* Takes the active slabs of idle threads away, so that their free pages decay like those of any slab that nobody owns. A
 * thread is idle that made no exchange for the decay time; what its magazines hold stays. */
#ifndef HAKMEM_MAGAZINE_IDLE_H
#define HAKMEM_MAGAZINE_IDLE_H

#include <stdbool.h>

#include "hakmem/region/decay.h"

/* Detaches active slabs, at most 64, of threads but the caller that have been idle since `freed_until_ms` of the pass, or of any
 * others in a pass over everything. true: there was none, and the pass has been through all records. It comes to each record once, and
 * to those of threads that begin meanwhile not at all: so it ends whatever the threads do. pre: the caller has the purge lock
 * and none of a higher rank */
bool hak_idle_take_slabs(struct decay_pass *pass);

/* Whether the last pass found threads that had not been idle for long enough, or did not look for any. Any thread; a hint. */
bool hak_idle_is_pending(void);

/* A pass did not look for idle threads: since the last one that did, some may have worked. Any thread. */
void hak_idle_note_skipped(void);

#endif
