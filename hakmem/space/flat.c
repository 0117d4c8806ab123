/* See flat.h. */
#include "hakmem/space/flat.h"

#include "hakmem/base/bits.h"
#include "hakmem/base/config.h"
#include "hakmem/os/os.h"
#include "hakmem/space/units.h"

/* A program of whose limit this part is taken for a table is refused what the C library would have had. */
#define FLAT_SHARE 4

bool flat_fits(uint64_t limit, size_t size) { return limit / FLAT_SHARE >= size; }

bool flat_has_room(size_t size) { return flat_fits(os_address_space_limit(), size); }

int flat_commit(void *start, size_t size) {
    if (os_has_threads()) {
        /* Others read: the entries are there at every moment. */
        return os_make_writable(start, size);
    }
    const int error = os_commit(start, size);
    if (error != 0) {
        (void)os_reserve_at(start, size); /* where the kernel took them away before it refused */
    }
    return error;
}

void flat_give_way(const uint8_t *entries, unsigned shift) {
    const uintptr_t page = os_page_size();
    for (size_t unit = units_next(0, false), end; unit < UNITS_COUNT; unit = units_next(end, false)) {
        end = units_next(unit, true);
        const uintptr_t first = bits_round_up((uintptr_t)entries + (unit << (HAK_REGION_SHIFT - shift)), page);
        const uintptr_t last = ((uintptr_t)entries + (end << (HAK_REGION_SHIFT - shift))) & ~(page - 1);
        if (first < last) {
            /* Refused for want of mappings: address space is lost. */
            (void)os_unreserve((void *)first, last - first);
        }
    }
}
