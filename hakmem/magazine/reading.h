/* SPDX-License-Identifier: MIT */
/* Reads the counts of running threads. No thread that allocates or frees waits for it.
 *
 * Called by the statistics while the list of records is held (thread.h). A thread's counts follow from its tops and
 * from the levels at its last exchange. Whether any thread allocated or freed between two readings is computed as
 * follows:
 *
 *     if no thread exchanged           every sequence is even and unchanged, before and after the tops are read
 *     then                             a loaded top can only fall, and a returned top only rise
 *     so if the sum is unchanged       of (returned - loaded) over all threads and classes, no top moved at all
 *
 * Sequences only rise, so it is enough to compare their sum. */
#ifndef HAKMEM_MAGAZINE_READING_H
#define HAKMEM_MAGAZINE_READING_H

#include "hakmem/magazine/thread.h"

/* How often a reader tries again, over all threads together, some milliseconds' worth: a thread may be stopped in the
 * middle of an exchange, and must not stop the reader. */
#define READING_ATTEMPTS 1000000

/* One thread's counts of a class. They are consistent with each other unless *attempts, which every further try lowers,
 * are used up. */
struct thread_class_totals hak_reading_class(const struct hak_thread *thread, unsigned class_index, uint32_t *attempts);

/* Values of which at least one changes when any thread allocates or frees a block of a slab, or when bits of a slab
 * change. */
struct hak_reading_moves {
    uint64_t sequences, tops;
    uint64_t outside; /* changes of slabs outside of exchanges: slab/moving.h */
    bool is_settled;  /* no exchange and no such change was under way */
};

/* pre: the list that starts with `living` is held, and the shared lock */
struct hak_reading_moves hak_reading_moves(const struct hak_thread *living);

/* Whether no thread allocated or freed between the two readings. */
bool hak_reading_is_quiet(const struct hak_reading_moves *before, const struct hak_reading_moves *after);

#endif
