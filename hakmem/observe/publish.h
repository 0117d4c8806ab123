/* SPDX-License-Identifier: MIT */
/* HAKMEM_PUBLISH: a thread of our own writes the statistics to shared memory (page.h), where other processes read them.
 *
 * The thread blocks all signals and writes twice a second; the first time is half a second after its start. The first slow path
 * that may start threads starts it, in the child of a fork again. Allocations and frees cost the same with and without it. One
 * write reads the statistics as hak_stats_get does. That takes about 20 us for a small heap and a few ms for a GiB of small
 * blocks, and holds the region lock for the slabs of one region at a time.
 *
 * Where the shared memory cannot be made it is tried again with each write, and where the thread cannot be started a second later; a
 * process says either once.
 *
 * The thread ends when all threads that ever allocated have ended, so it does not keep the process alive. */
#ifndef HAKMEM_OBSERVE_PUBLISH_H
#define HAKMEM_OBSERVE_PUBLISH_H

/* Called once, by the constructor, after the options were read. */
void hak_publish_init(void);

/* In the child of a fork: leaves the page to the parent and has a new one made. */
void hak_publish_fork_child(void);

/* In a child that no handler of fork saw: has its own thread begun where the parent had one, which makes a page of its own. Any thread. */
void hak_publish_unseen_child(void);

#endif
