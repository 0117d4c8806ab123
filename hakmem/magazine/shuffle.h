/* SPDX-License-Identifier: MIT */
/* Shuffles the blocks in a thread's loaded magazines: all children of a process inherit the same order, and none should
 * be able to predict which addresses its siblings allocate.
 *
 * Called in the child of a fork, by its only thread; full guard builds. */
#ifndef HAKMEM_MAGAZINE_SHUFFLE_H
#define HAKMEM_MAGAZINE_SHUFFLE_H

/* Shuffles the calling thread's loaded magazines of all classes. Does nothing if it has no record. */
void hak_shuffle_own(void);

#endif
