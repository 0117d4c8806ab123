/* SPDX-License-Identifier: MIT */
/* See lost_roots.h. */
#include "hakmem/observe/lost_roots.h"

#include <string.h>

#include "hakmem/base/config.h"
#include "hakmem/space/units.h"

/* Shell's sort: in place, and no slower than n to the power 3/2 in any order (gaps of D. Knuth, The Art of Computer Programming 3,
 * 5.2.1). A program may have as many huge blocks as the kernel allows mappings, 65,530 by default. */
void hak_lost_order_ranges(struct lost_roots *roots) {
    size_t gap = 1;
    while (gap < roots->other_count / 3) gap = 3 * gap + 1;
    for (; gap > 0; gap /= 3) {
        for (size_t i = gap; i < roots->other_count; i++) {
            const struct lost_range moved = roots->others[i];
            size_t at = i;
            for (; at >= gap && roots->others[at - gap].start > moved.start; at -= gap) {
                roots->others[at] = roots->others[at - gap];
            }
            roots->others[at] = moved;
        }
    }
}

/* Index of the first of hakmem's ranges that ends behind `address`; they are in order and do not overlap. */
static size_t roots_first_behind(const struct lost_roots *roots, uint64_t address) {
    size_t low = 0, high = roots->other_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (roots->others[middle].end <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* [start, end) without hakmem's ranges. */
static void roots_scan_part(const struct lost_roots *roots, struct lost_marks *marks, uint64_t start, uint64_t end) {
    for (size_t i = roots_first_behind(roots, start); i < roots->other_count && roots->others[i].start < end; i++) {
        hak_lost_scan(marks, start, roots->others[i].start);
        start = roots->others[i].end;
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
