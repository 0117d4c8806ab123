/* SPDX-License-Identifier: MIT */
/* See lost_roots.h. */
#include "hakmem/observe/lost_roots.h"

#include <string.h>

#include "hakmem/base/config.h"
#include "hakmem/space/units.h"

/* Few, and mostly in order. */
void hak_lost_order_ranges(struct lost_roots *roots) {
    for (size_t i = 1; i < roots->other_count; i++) {
        const struct lost_range moved = roots->others[i];
        size_t at = i;
        for (; at > 0 && roots->others[at - 1].start > moved.start; at--) {
            roots->others[at] = roots->others[at - 1];
        }
        roots->others[at] = moved;
    }
}

/* [start, end) without hakmem's ranges. */
static void roots_scan_part(const struct lost_roots *roots, struct lost_marks *marks, uint64_t start, uint64_t end) {
    for (size_t i = 0; i < roots->other_count && start < end; i++) {
        const struct lost_range *other = &roots->others[i];
        if (other->end <= start || other->start >= end) {
            continue;
        }
        hak_lost_scan(marks, start, other->start);
        start = other->end;
    }
    hak_lost_scan(marks, start, end);
}

/* Without regions as well. */
static void roots_scan(const struct lost_roots *roots, struct lost_marks *marks, uint64_t start, uint64_t end) {
    uint64_t from = start;
    for (uint64_t unit = start; unit < end;) {
        const uint64_t next = (unit & ~((uint64_t)HAK_REGION_BYTES - 1)) + HAK_REGION_BYTES;
        if (hak_units_is_region((void *)(uintptr_t)unit)) {
            roots_scan_part(roots, marks, from, unit);
            from = next;
        }
        unit = next;
    }
    roots_scan_part(roots, marks, from, end);
}

static bool roots_begins(const struct maps_entry *entry, const char *with) {
    const size_t length = strlen(with);
    return entry->path_length >= length && memcmp(entry->path, with, length) == 0;
}

/* To read a device may do something. hakmem's own files in memory are no more the program's than its mappings. */
static bool roots_may_hold(const struct maps_entry *entry) {
    const bool is_device =
        roots_begins(entry, "/dev/") && !roots_begins(entry, "/dev/shm/") && !roots_begins(entry, "/dev/zero");
    return entry->readable && entry->writable && !is_device && !roots_begins(entry, "/memfd:hakmem");
}

void hak_lost_scan_roots(const struct lost_roots *roots, struct lost_marks *marks) {
    struct maps_entry entry;
    size_t position = 0;
    uint64_t wall = 0; /* end of the inaccessible mapping before this one */
    while (hak_maps_next(&roots->maps, &position, &entry)) {
        /* The thread's own stack, and not memory that happens to lie beside it: that of the first thread has a name, those of others
         * an inaccessible page before them. What it is not in use holds what earlier calls left there. */
        const bool is_stack = roots->stack >= entry.start && roots->stack < entry.end &&
                              (wall == entry.start || roots_begins(&entry, "[stack]"));
        if (roots_may_hold(&entry)) {
            roots_scan(roots, marks, is_stack ? roots->stack : entry.start, entry.end);
        }
        wall = entry.readable ? 0 : entry.end;
    }
}
