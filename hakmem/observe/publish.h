/* SPDX-License-Identifier: MIT */
/* HAKMEM_PUBLISH: the statistics in a page of shared memory (page.h), for who looks from outside.
 *
 * A thread of the allocator's own writes them twice a second, all signals blocked, for the first time half a second after
 * it began. It is started by the first slow path
 * after the program's start that may start threads, and, after a fork, by the child's first. What the program's threads
 * do costs no more than without. The thread reads as hak_stats_get does: some 20 us of processor time for a small heap, a few ms for a GiB of small blocks,
 * and the region lock for at most one region's slabs at a time.
 *
 * It ends when all threads that ever allocated have ended, so that the process ends as it would without. */
#ifndef HAKMEM_OBSERVE_PUBLISH_H
#define HAKMEM_OBSERVE_PUBLISH_H

/* By the constructor, when the options have been read. */
void hak_publish_init(void);

/* In the child of a fork: the page is the parent's. */
void hak_publish_fork_child(void);

#endif
