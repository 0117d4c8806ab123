/* SPDX-License-Identifier: MIT */
/* See give_way.h. */
#include "hakmem/region/give_way.h"

#include "hakmem/base/atomic.h"
#include "hakmem/flags/guard.h"
#include "hakmem/guard/pages.h"
#include "hakmem/guard/zero_size.h"
#include "hakmem/os/os.h"
#include "hakmem/region/page_map.h"
#include "hakmem/shadow/shadow.h"
#include "hakmem/space/flat.h"
#include "hakmem/space/units.h"

static bool give_way_done;        /* region lock */
static uint32_t give_way_process; /* atomic */

bool hak_give_way_is_due(uint64_t limit) {
    /* Relaxed: where they gave way meanwhile, nothing happens twice. */
    const uintptr_t page_map = hak_load_relaxed(&hak_page_map.mask);
    return !hak_flat_fits(limit, page_map + (HAK_GUARD_EXACT ? hak_load_relaxed(&hak_shadow.limit) : 0));
}

bool hak_give_way_may_help(void) { return hak_os_address_space_limit() != UINT64_MAX; }

bool hak_give_way_tables(void) {
    if (give_way_done) {
        return false;
    }
    give_way_done = true;
    hak_page_map_limit();
    if (HAK_GUARD_EXACT) {
        hak_shadow_limit();
    }
    hak_units_keep();
    hak_page_map_give_way();
    if (HAK_GUARD_EXACT) {
        hak_shadow_give_way();
    }
    if (HAK_GUARD_FULL) {
        hak_pages_give_way();
        (void)hak_zero_size_give_way(); /* nothing where many such blocks were allocated */
    }
    return true;
}

/* Relaxed, both: the thread that asks forked, or is a child's. */
void hak_give_way_note_process(void) { hak_store_relaxed(&give_way_process, hak_os_process_id()); }

bool hak_give_way_is_process(void) { return hak_load_relaxed(&give_way_process) == hak_os_process_id(); }
