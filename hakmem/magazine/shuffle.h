/* SPDX-License-Identifier: MIT */
/* The blocks that a thread has in store, in another order: for the child of a fork, whose siblings have the same.
 *
 * Full guard builds; by the only thread of a process. */
#ifndef HAKMEM_MAGAZINE_SHUFFLE_H
#define HAKMEM_MAGAZINE_SHUFFLE_H

/* The calling thread's, of all classes. Nothing where it has no record. */
void hak_shuffle_own(void);

#endif
