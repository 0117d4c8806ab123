/* SPDX-License-Identifier: MIT */
/* See flat.h. */
#include "hakmem/space/flat.h"

#include "hakmem/base/bits.h"
#include "hakmem/base/config.h"
#include "hakmem/os/os.h"
#include "hakmem/space/units.h"

/* A program of whose limit this part is taken for a table is refused what the C library would have had. */
#define FLAT_SHARE 4

bool hak_flat_fits(uint64_t limit, size_t size) { return limit / FLAT_SHARE >= size; }

bool hak_flat_has_room(size_t size) { return hak_flat_fits(hak_os_address_space_limit(), size); }

int hak_flat_commit(void *start, size_t size) {
    if (os_has_threads()) {
        /* Others read: the entries are there at every moment. */
        return hak_os_make_writable(start, size);
    }
    const int error = hak_os_commit(start, size);
    if (error != 0) {
        (void)hak_os_reserve_at(start, size); /* where the kernel took them away before it refused */
    }
    return error;
}

void hak_flat_give_way(const uint8_t *entries, unsigned shift, unsigned address_bits) {
    const uintptr_t page = hak_os_page_size();
    const size_t units = (size_t)1 << (address_bits - HAK_REGION_SHIFT);
    for (size_t unit = hak_units_next(0, false), end; unit < units; unit = hak_units_next(end, false)) {
        end = hak_units_next(unit, true);
        end = end < units ? end : units;
        const uintptr_t first = bits_round_up((uintptr_t)entries + (unit << (HAK_REGION_SHIFT - shift)), page);
        const uintptr_t last = ((uintptr_t)entries + (end << (HAK_REGION_SHIFT - shift))) & ~(page - 1);
        if (first < last) {
            /* Refused for want of mappings: address space is lost. */
            (void)hak_os_unreserve((void *)first, last - first);
        }
    }
}
