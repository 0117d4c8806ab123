/* SPDX-License-Identifier: MIT */
/* What waits to be started by a poll that may start a thread, one at a time. The time from which it may be is a look that is scheduled
 * (region/decay.h), so that polls have no more to test than that. Any thread, no locks. */
#ifndef HAKMEM_PROCESS_PURGE_LATER_H
#define HAKMEM_PROCESS_PURGE_LATER_H

#include <stdbool.h>
#include <stdint.h>

#define PURGE_START_AT_ONCE 1

/* Has the next poll from `from_ms` on that may start a thread call `start`, once: for what needs a thread of its own. A later call
 * replaces what still waits. `from_ms`: as hak_os_clock_ms, or PURGE_START_AT_ONCE */
void hak_purge_start_later(void (*start)(void), uint64_t from_ms);

/* Whether something waits whose time has come. A hint */
bool hak_purge_later_is_due(void);

/* Calls what waits, if no other poll does. pre: the calling thread may start a thread */
void hak_purge_later_start(void);

/* Schedules a look for what waits, if anything does: by whoever has taken the look that was scheduled and could not start it. */
void hak_purge_later_schedule(void);

#endif
