/* SPDX-License-Identifier: MIT */
/* The roots of lost.h: what of the process's memory is the program's and no block of hakmem's. */
#ifndef HAKMEM_OBSERVE_LOST_ROOTS_H
#define HAKMEM_OBSERVE_LOST_ROOTS_H

#include "hakmem/observe/lost_mark.h"
#include "hakmem/os/maps.h"

/* Memory that is no root. */
struct lost_range {
    uint64_t start, end;
};

struct lost_roots {
    struct maps maps;
    struct lost_range *others; /* ascending, once hak_lost_order_ranges was called; regions are not among them */
    size_t other_count;
    uint64_t stack; /* where the calling thread's stack is in use from */
};

/* Sorts the ranges by their addresses. */
void hak_lost_order_ranges(struct lost_roots *roots);

/* Marks what the roots point to. */
void hak_lost_scan_roots(const struct lost_roots *roots, struct lost_marks *marks);

#endif
