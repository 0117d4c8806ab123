/* SPDX-License-Identifier: MIT */
/* Makes regions, one whenever the others have no room; see region.h. Called by region.c, under the region lock. */
#include <errno.h>

#include "hakmem/base/options.h"
#include "hakmem/guard/pages.h"
#include "hakmem/os/os.h"
#include "hakmem/region/bitmap.h"
#include "hakmem/region/page_map.h"
#include "hakmem/region/region_chunks.h"
#include "hakmem/region/region_list.h"
#include "hakmem/region/runs.h"
#include "hakmem/shadow/shadow.h"
#include "hakmem/space/units.h"

/* A program that has filled its first region will fill most of the huge pages of the next. Where chunks are hardly
 * used, by many threads that each have a few blocks of many classes, a huge page would be nearly all waste. What it
 * takes to look and to ask a program of one thread may have forbidden itself: there only who wishes it has them. */
static bool region_wants_huge_pages_locked(void) {
    return hak_options.thp == HAK_THP_MADVISE || (hak_options.thp == HAK_THP_AUTO && hak_regions.first != NULL &&
                                                  os_has_threads() && hak_region_chunks_are_dense(hak_regions.first));
}

/* What the tables need for a region. Refused: nothing is left of it. */
static int region_enter(struct region *region) {
    int error = hak_page_map_add_region(region);
    if (HAK_GUARD_FULL && guard_has(HAK_FEATURE_PAGES) && error == 0) {
        error = hak_pages_add_region(region);
    }
    if (HAK_GUARD_EXACT && error == 0) {
        error = hak_shadow_add_region(&region->shadow, region->is_open);
    }
    return error;
}

/* Places that are tried where other mappings lie in the way of what the tables need. */
#define REGION_PLACES 8

/* Maps a region that the tables have room for. ENOMEM, EAGAIN, EEXIST; nothing changed */
static int region_map_locked(struct region **out) {
    struct region *refused[REGION_PLACES];
    unsigned count = 0;
    int error;
    do {
        error = hak_region_chunks_map(out);
        if (error != 0) {
            break;
        }
        error = region_enter(*out);
        if (error != 0) {
            refused[count++] = *out; /* mapped until another place was found */
        }
    } while (error == EEXIST && count < REGION_PLACES);
    while (count > 0) {
        hak_region_chunks_unmap(refused[--count]);
    }
    return error;
}

/* Maps one more region and appends it. Errors as of region_map_locked */
static int region_grow_locked(unsigned node) {
    struct region *region;
    int error = hak_runs_reserve(node);
    if (error == 0) {
        error = region_map_locked(&region);
    }
    if (error != 0) {
        return error;
    }
    if (region_wants_huge_pages_locked() && hak_region_chunks_ask_huge(region)) {
        hak_store_relaxed(&region->huge_pages, REGION_HUGE_PAGES_ASKED);
    } else {
        hak_region_chunks_skip(region);
    }
    const unsigned first = REGION_CHUNK_FIRST + region->skipped;
    bitmap_set_run(region->free, first, HAK_REGION_CHUNKS - first, true);
    region->node = (uint8_t)node;
    region->ordinal = (uint32_t)hak_load_relaxed(&hak_regions.count); /* relaxed: written under this lock */
    hak_runs_add(region);
    hak_runs_raise(RUNS_FREE, region, HAK_REGION_CHUNKS - first);
    hak_units_note_given(region, HAK_REGION_BYTES);
    hak_units_note_region(region);
    if (hak_regions.last != NULL) {
        hak_regions.last->next = region;
    } else {
        hak_regions.first = region;
    }
    hak_regions.last = hak_regions.newest[node] = region;
    hak_count_add(&hak_regions.count, 1);
    return 0;
}

int hak_region_more_locked(unsigned node) {
    struct region *const newest = hak_regions.newest[node];
    const unsigned count = newest == NULL ? 0 : hak_region_chunks_unskip(newest);
    if (count == 0) {
        return region_grow_locked(node);
    }
    const unsigned first = REGION_CHUNK_FIRST + newest->skipped;
    bitmap_set_run(newest->free, first, count, true);
    hak_runs_raise(RUNS_FREE, newest, bitmap_run_around(newest->free, HAK_REGION_CHUNKS, first));
    return 0;
}
