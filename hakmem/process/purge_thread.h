/* SPDX-License-Identifier: MIT */
/* The thread of our own that purges: it is begun by a poll, sleeps until something has decayed or more waits than may
 * (purge_share.h), and ends when nothing waits any more, or when one thread of the program is left and HAKMEM_PURGE_THREAD is auto. */
#ifndef HAKMEM_PROCESS_PURGE_THREAD_H
#define HAKMEM_PROCESS_PURGE_THREAD_H

#include <stdbool.h>
#include <stdint.h>

/* Begins it where HAKMEM_PURGE_THREAD allows one. true: it runs */
bool hak_purge_thread_start(uint64_t now_ms);

/* Ends its sleep once more waits beside what is in use than may. By polls, while it runs. */
void hak_purge_thread_nudge(void);

/* In the child of a fork, which has no such thread. */
void hak_purge_thread_fork_child(void);

#endif
