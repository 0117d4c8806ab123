/* An open-addressed hash set of region addresses; see region_set.h.
 *
 * The flat page map needs 2 GiB of address space; it is refused only where less than that is left, which
 * is room for at most 64 regions and whatever was used before. 256 entries are 8 GiB. */
#include "hakmem/region/region_set.h"

#include <errno.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/config.h"
#include "hakmem/region/page_map.h"

#define SET_ENTRIES 256

static const void *set_entries[SET_ENTRIES]; /* atomic; 0 = unused; entries are never removed */

static unsigned set_slot(const void *region) {
    /* Neighbouring regions lie in neighbouring slots: no hash is needed. */
    return (unsigned)((uintptr_t)region >> HAK_REGION_SHIFT) % SET_ENTRIES;
}

int region_set_add(const void *region) {
    if (hak_page_map.mask != 0) {
        return 0;
    }
    for (unsigned probe = 0; probe < SET_ENTRIES; probe++) {
        const void **entry = &set_entries[(set_slot(region) + probe) % SET_ENTRIES];
        if (hak_load_relaxed(entry) == NULL) {
            /* Release: pairs with the acquire in region_set_has, which then reads the header. */
            hak_store_release(entry, region);
            return 0;
        }
    }
    return ENOMEM;
}

bool region_set_has(const void *region) {
    for (unsigned probe = 0; probe < SET_ENTRIES; probe++) {
        /* Acquire: pairs with region_set_add. */
        const void *found = hak_load_acquire(&set_entries[(set_slot(region) + probe) % SET_ENTRIES]);
        if (found == region) {
            return found != NULL;
        }
        if (found == NULL) {
            return false;
        }
    }
    return false;
}
