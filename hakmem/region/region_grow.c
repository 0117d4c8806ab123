/* SPDX-License-Identifier: MIT */
/* Makes regions, one whenever the others have no room; see region.h. Called by region.c, under the region lock. */
#include <errno.h>

#include "hakmem/base/asan.h"
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

/* From the first region that wants huge pages until one is asked for. In a virtual machine whose host takes free memory back,
 * whole huge pages of it are what the host took, and each must come from there again: 7 us for 4 KiB, where pages of 4 KiB cost
 * 1.5 one by one. So who ends within a second or two pays for it and gains nothing. docs/decisions/043 has the figures. */
#define REGION_HUGE_PAGES_WAIT_MS 2000

static bool region_is_early_locked(void) {
    const uint64_t now_ms = hak_os_clock_ms();
    if (hak_regions.huge_pages_from_ms == 0) {
        hak_regions.huge_pages_from_ms = now_ms + REGION_HUGE_PAGES_WAIT_MS;
    }
    return now_ms < hak_regions.huge_pages_from_ms;
}

/* What a new region asks for. With `auto` the first ones wait. */
static enum region_huge_pages region_advise_locked(struct region *region) {
    if (!region_wants_huge_pages_locked() || !hak_region_chunks_ready_all(region)) {
        return REGION_HUGE_PAGES_NO_WORD;
    }
    if (hak_options.thp == HAK_THP_AUTO && region_is_early_locked()) {
        /* Sequentially consistent: pairs with the load of hak_region_ask_waiting. This side says that a region waits and then looks
         * whether a look is due earlier than its own; that side takes the look and then looks whether a region waits. One of them
         * sees. */
        (void)hak_exchange_seq_cst(&hak_regions.huge_pages_wait, true);
        hak_decay_schedule(hak_regions.huge_pages_from_ms);
        return REGION_HUGE_PAGES_WAITING;
    }
    return hak_region_chunks_ask_huge(region) ? REGION_HUGE_PAGES_ASKED : REGION_HUGE_PAGES_NO_WORD;
}

static void region_ask_locked(struct region *region) {
    /* Relaxed, both: it changes under the lock alone. */
    if (hak_load_relaxed(&region->huge_pages) == REGION_HUGE_PAGES_WAITING) {
        const bool is_asked = hak_region_chunks_ask_huge(region);
        hak_store_relaxed(&region->huge_pages,
                          (uint32_t)(is_asked ? REGION_HUGE_PAGES_ASKED : REGION_HUGE_PAGES_SETTLED));
    }
}

void hak_region_ask_waiting(uint64_t now_ms) {
    /* Sequentially consistent: see region_advise_locked. */
    if (!hak_load_seq_cst(&hak_regions.huge_pages_wait)) {
        return;
    }
    lock_acquire(&hak_regions.lock);
    if (now_ms < hak_regions.huge_pages_from_ms) {
        hak_decay_schedule(hak_regions.huge_pages_from_ms);
    } else {
        for (struct region *region = hak_regions.first; region != NULL; region = region->next) {
            region_ask_locked(region);
            lock_release(&hak_regions.lock); /* a fork, or who needs a region, waits for one system call */
            lock_acquire(&hak_regions.lock);
        }
        /* Relaxed: under the lock, under which it is set too. Last, for the child of a fork that comes in between. */
        hak_store_relaxed(&hak_regions.huge_pages_wait, false);
    }
    lock_release(&hak_regions.lock);
}

void hak_region_fork_child(void) {
    /* Relaxed, and without the lock, which a call may hold that the fork interrupted: the child has one thread. */
    if (hak_load_relaxed(&hak_regions.huge_pages_wait)) {
        hak_decay_schedule(hak_regions.huge_pages_from_ms);
    }
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
    const enum region_huge_pages advice = region_advise_locked(region);
    hak_store_relaxed(&region->huge_pages, (uint32_t)advice); /* relaxed: nobody else knows the region yet */
    if (advice == REGION_HUGE_PAGES_NO_WORD) {
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
    if (!HAK_GUARD_FULL && ASAN_WORKS()) {
        hak_asan_add_root(region, HAK_REGION_BYTES);
    }
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
