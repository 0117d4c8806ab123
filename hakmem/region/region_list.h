/* SPDX-License-Identifier: MIT */
/* What region.c, which hands out chunks, region_grow.c, which makes more of them, and region_purge.c, which gives their pages
 * back, have in common. Else observe/layout.c alone includes it, which tells where the list is. */
#ifndef HAKMEM_REGION_REGION_LIST_H
#define HAKMEM_REGION_REGION_LIST_H

#include "hakmem/base/lock.h"
#include "hakmem/region/node.h"
#include "hakmem/region/region.h"

/* All regions, and the lock that other files call the region lock. */
struct region_list {
    struct hak_lock lock;
    struct region *first, *last;      /* region lock */
    struct region *newest[NODES_MAX]; /* region lock; of each node the last one */
    size_t dirty_total;               /* atomic: read without the lock; written under it */
    size_t refused_total;             /* atomic, likewise; of the dirty bytes, those that the system does not take */
    size_t taken_total;               /* atomic, likewise; bytes of chunks that are in use */
    size_t count;                     /* atomic, likewise */
    uint64_t huge_pages_from_ms;      /* region lock; no region asks for huge pages before; 0: none wanted any yet */
    bool huge_pages_wait;             /* atomic, likewise; a region may be REGION_HUGE_PAGES_WAITING */
};

extern struct region_list hak_regions;

/* Takes free chunks for a span of the class, or with class 0 for a purge. pre: under the region lock; they are free and
 * can be written */
void hak_region_take_locked(struct region *region, unsigned first, unsigned count, unsigned class_index,
                            struct span *out);

/* Makes more chunks of the node free: skipped ones of its last region, or those of another region. ENOMEM, EAGAIN, EEXIST
 * pre: under the region lock */
int hak_region_more_locked(unsigned node);

/* The run that begins at `first` became free, or dirty too: other chunks may lie beside it. pre: under the region lock */
void hak_region_raise_runs_locked(const struct region *region, unsigned first);

#endif
