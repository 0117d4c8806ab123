/* SPDX-License-Identifier: MIT */
/* Returns the pages of free chunks to the kernel once they have decayed; see region.h.
 *
 * Called by process/purge_pass.c, from any thread. A run of chunks is taken out of the free ones meanwhile, so that the
 * system call is made without the region lock. */
#include "hakmem/base/bits.h"
#include "hakmem/guard/pages.h"
#include "hakmem/os/os.h"
#include "hakmem/region/bitmap.h"
#include "hakmem/region/region_chunks.h"
#include "hakmem/region/region_list.h"
#include "hakmem/region/runs.h"
#include "hakmem/shadow/shadow.h"

void hak_region_settle(struct region *region) {
    /* Relaxed: these two are for good. */
    const uint32_t advice = hak_load_relaxed(&region->huge_pages);
    if (advice == REGION_HUGE_PAGES_NO_WORD || advice == REGION_HUGE_PAGES_SETTLED) {
        return;
    }
    /* Under the lock the region keeps its end, and nobody asks for huge pages after they were refused. */
    lock_acquire(&hak_regions.lock);
    if (hak_load_relaxed(&region->huge_pages) != REGION_HUGE_PAGES_SETTLED) {
        hak_region_chunks_refuse_huge(region);
        hak_store_relaxed(&region->huge_pages, (uint32_t)REGION_HUGE_PAGES_SETTLED);
    }
    lock_release(&hak_regions.lock);
}

int hak_region_purge_pages(struct region *region, void *start, size_t size, const struct decay_pass *pass) {
    hak_region_settle(region);
    /* Where advice was given the mapping differs from a new one, and the kernel would keep them apart for good; where
     * pages are inaccessible a new one would open them. Relaxed: the advice is given before anything of the region
     * is. */
    const bool is_plain =
        hak_load_relaxed(&region->huge_pages) == 0 && !(HAK_GUARD_FULL && guard_has(HAK_FEATURE_PAGES));
    return pass->by_mapping && is_plain ? hak_os_purge_by_mapping(start, size) : hak_os_purge(start, size);
}

/* The next run of chunks that decayed, taken out of the free ones, at most `most` of them; false where there is
 * none. */
static bool region_take_decayed_locked(struct region *region, uint64_t freed_until_ms, unsigned from, unsigned most,
                                       struct span *out) {
    unsigned first = from, count = 0;
    while ((first = bitmap_next(region->dirty, HAK_REGION_CHUNKS, first, true)) < HAK_REGION_CHUNKS) {
        while (first + count < HAK_REGION_CHUNKS && count < most &&
               bitmap_next(region->dirty, HAK_REGION_CHUNKS, first + count, true) == first + count &&
               region->freed_at_ms[first + count] <= freed_until_ms) {
            count++;
        }
        if (count > 0) {
            hak_region_take_locked(region, first, count, 0, out);
            return true;
        }
        first++;
    }
    if (bitmap_next(region->dirty, HAK_REGION_CHUNKS, 0, true) == HAK_REGION_CHUNKS) {
        hak_runs_set(RUNS_DIRTY, region, 0); /* and no purge looks here before another free */
    }
    return false;
}

/* Of the header's pages those go back as well that belong to purged chunks alone, which is a fiftieth of what the chunks were: they
 * read zero then, as an EMPTY slab without remote frees. pre: the chunks are taken, so nobody makes a slab of them; who still looks
 * at the one that was there finds none of its class */
static void region_purge_array(struct region *region, const void *start, size_t size, const struct decay_pass *pass) {
    const uintptr_t page = hak_os_page_size(), first = bits_round_up((uintptr_t)start, page);
    const uintptr_t end = ((uintptr_t)start + size) & ~(page - 1);
    if (first < end) {
        /* By the call that took the chunks. If the kernel refuses they stay as they are, which is as good. */
        (void)hak_region_purge_pages(region, (void *)first, end - first, pass);
    }
}

/* Below so many chunks a call would give back two pages at most. */
#define REGION_HEADER_LEAST 16u

static void region_purge_header(struct region *region, unsigned first, unsigned count, const struct decay_pass *pass) {
    if (count >= REGION_HEADER_LEAST) {
        region_purge_array(region, &region->descriptors[first], count * sizeof region->descriptors[0], pass);
        region_purge_array(region, region->free_bits[first], count * sizeof region->free_bits[0], pass);
        region_purge_array(region, region->remote_bits[first], count * sizeof region->remote_bits[0], pass);
    }
}

/* Puts a run back that region_take_decayed_locked took. `clean`: its pages are gone. Else the system did not take them,
 * and is not asked again before they have been in use. */
static void region_put_back(const struct span *span, bool clean) {
    lock_acquire(&hak_regions.lock);
    bitmap_set_run(span->region->free, span->first, span->count, true);
    hak_store_relaxed(&hak_regions.taken_total, hak_regions.taken_total - (size_t)span->count * HAK_CHUNK_BYTES);
    if (!clean) {
        bitmap_set_run(span->region->dirty, span->first, span->count, true);
        for (unsigned chunk = span->first; chunk < span->first + span->count; chunk++) {
            span->region->freed_at_ms[chunk] = DECAY_REFUSED_MS;
        }
        hak_count_add(&hak_regions.dirty_total, (size_t)span->count * HAK_CHUNK_BYTES);
        hak_count_add(&hak_regions.refused_total, (size_t)span->count * HAK_CHUNK_BYTES);
    }
    hak_region_raise_runs_locked(span->region, span->first);
    lock_release(&hak_regions.lock);
}

/* The next region that may have dirty chunks. */
static struct region *region_after(const struct region *region) {
    lock_acquire(&hak_regions.lock);
    struct region *next = NULL;
    unsigned from = region == NULL ? 0 : region->number + 1;
    for (unsigned node = region == NULL ? 0 : region->node; node < hak_node_count && next == NULL; node++) {
        next = hak_runs_find(RUNS_DIRTY, node, from, 1);
        from = 0;
    }
    lock_release(&hak_regions.lock);
    return next;
}

/* The next run of the pass's region. */
static bool region_take_next(const struct decay_pass *pass, struct span *span) {
    const size_t chunks = pass->left / HAK_CHUNK_BYTES;
    const unsigned most = chunks == 0 ? 1 : chunks < HAK_REGION_CHUNKS ? (unsigned)chunks : HAK_REGION_CHUNKS;
    lock_acquire(&hak_regions.lock);
    const bool taken = region_take_decayed_locked(pass->region, pass->freed_until_ms, pass->chunk, most, span);
    lock_release(&hak_regions.lock);
    return taken;
}

bool hak_region_purge_piece(struct decay_pass *pass) {
    if (pass->region == NULL) {
        pass->region = region_after(NULL);
    }
    while (pass->region != NULL && pass->left > 0) {
        struct span span;
        if (!region_take_next(pass, &span)) {
            struct region *next = region_after(pass->region);
            if (next == NULL) {
                return true; /* and another piece finds nothing here either */
            }
            pass->region = next;
            pass->chunk = 0;
            continue;
        }
        DISTURB();
        /* Outside the lock: nobody else sees the run meanwhile. */
        const size_t bytes = (size_t)span.count * HAK_CHUNK_BYTES;
        const bool clean =
            hak_region_purge_pages(span.region, region_chunk_address(span.region, span.first), bytes, pass) == 0;
        if (HAK_GUARD_EXACT) {
            hak_shadow_purge(region_chunk_address(span.region, span.first), bytes, pass->by_mapping);
        }
        if (clean) {
            region_purge_header(span.region, span.first, span.count, pass);
        }
        DISTURB();
        region_put_back(&span, clean);
        pass->purged += clean ? bytes : 0;
        pass->chunk = span.first + span.count;
        decay_pass_spend(pass, bytes);
    }
    return pass->region == NULL;
}

size_t hak_region_purge(uint64_t freed_until_ms) {
    struct decay_pass pass = {.freed_until_ms = freed_until_ms, .left = SIZE_MAX};
    (void)hak_region_purge_piece(&pass);
    return pass.purged;
}
