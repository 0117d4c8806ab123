/* SPDX-License-Identifier: MIT */
/* Reads all statistics at once: for hak_stats_get, for the writers of text, JSON and Prometheus' format, and for the published
 * page.
 *
 * A reading takes the locks of huge blocks and regions for short times, and no other: no thread that begins, ends, or allocates
 * from its magazines waits for it. It goes over the records of threads twice, before and after it looks at the slabs, compares
 * what moved, and says in `quiet` whether anything did (magazine/reading.h). */
#ifndef HAKMEM_OBSERVE_READ_H
#define HAKMEM_OBSERVE_READ_H

#include "hakmem/hakmem.h"
#include "hakmem/size_class/size_class.h"

struct stats_reading {
    struct hak_stats stats;
    struct hak_class_stats classes[HAK_CLASS_COUNT]; /* [0] is zero */
    struct hak_thread_stats *threads; /* the caller's, or NULL: those that began last, the youngest first */
    uint64_t *begun;        /* the caller's, as many as threads, or NULL: when each began; else they are in no order */
    size_t thread_capacity; /* the caller's: entries of threads */
    size_t thread_count;    /* those filled */
};

/* Fills everything but the caller's fields. Some 8 KiB: the caller needs as much stack, or static storage and a lock. */
void hak_stats_read(struct stats_reading *reading);

/* The pool of a class other than 0. */
enum hak_pool hak_stats_pool_of(unsigned class_index);

#endif
