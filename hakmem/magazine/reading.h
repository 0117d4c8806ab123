/* SPDX-License-Identifier: MIT */
/* Reading what threads count, beside them: nothing here makes a thread wait that allocates or frees.
 *
 * Called by the statistics with the list of records held (thread.h). A thread's counts follow from its tops and the
 * levels at its last exchange. Whether threads moved between two looks can be told without any help of theirs:
 *
 *     no exchange     every sequence is as it was, and even, before and behind the tops of each look
 *     then            a loaded top only falls, a returned top only rises
 *     hence           the sum of (returned - loaded) over all of them is as it was only if none moved
 *
 * Sequences only rise, so that their sum tells as much as each of them. */
#ifndef HAKMEM_MAGAZINE_READING_H
#define HAKMEM_MAGAZINE_READING_H

#include "hakmem/magazine/thread.h"

/* A thread that is stopped in the middle of an exchange must not stop the reader: some milliseconds' worth. */
#define READING_ATTEMPTS 1000000

/* One thread's counts of a class, consistent with each other unless the thread stands still inside an exchange until
 * *attempts, which this takes from, are used up. */
struct thread_class_totals hak_reading_class(const struct hak_thread *thread, unsigned class_index, uint32_t *attempts);

/* What changes when a thread with or without magazines allocates or frees a block of a slab, and when bits of slabs move. */
struct hak_reading_moves {
    uint64_t sequences, tops;
    uint64_t outside; /* of all exchanges: slab/moving.h */
    bool is_settled;  /* nobody was in the middle of anything */
};

/* pre: the list that starts with `living` is held, and the shared lock */
struct hak_reading_moves hak_reading_moves(const struct hak_thread *living);

/* Whether no thread did anything between the two. */
bool hak_reading_is_quiet(const struct hak_reading_moves *before, const struct hak_reading_moves *after);

#endif
