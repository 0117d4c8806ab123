/* SPDX-License-Identifier: MIT */
/* Allocates spans of chunks from regions; see region.h.
 *
 * Called by the slab layer when a slab is made or given up, never on a fast path. One lock guards all regions. The only
 * system calls under it map regions, make their chunks writable, check how much of the first region is resident, give
 * way (give_way.h), and say what the kernel is to do about huge pages. */
#include "hakmem/region/region.h"

#include <errno.h>

#include "hakmem/base/assert.h"
#include "hakmem/base/lock.h"
#include "hakmem/guard/pages.h"
#include "hakmem/misuse/misuse.h"
#include "hakmem/os/os.h"
#include "hakmem/region/bitmap.h"
#include "hakmem/region/decay.h"
#include "hakmem/region/give_way.h"
#include "hakmem/region/held.h"
#include "hakmem/region/page_map.h"
#include "hakmem/region/region_chunks.h"
#include "hakmem/region/region_list.h"
#include "hakmem/region/runs.h"
#include "hakmem/shadow/shadow.h"
#include "hakmem/space/units.h"

struct region_list hak_regions = {.lock = HAK_LOCK_INITIALIZER(HAK_RANK_REGION)};
static bool region_is_scarce; /* region lock; memory was refused, and so may what others want be */

/* Freed spans that are looked at for one of the class. */
#define REGION_LOOKS 4

/* Position of `count` dirty chunks that were a span of the class when they were freed, or HAK_REGION_CHUNKS. So who
 * holds a pointer to a block that is gone sees a block of another class there less often. */
static unsigned region_find_same_locked(struct region *region, unsigned count, unsigned class_index) {
    for (unsigned looks = 0; looks < REGION_LOOKS; looks++) {
        const unsigned first = region->freed_last[class_index];
        if (first == 0) {
            break;
        }
        region->freed_last[class_index] = region->freed_before[first];
        /* What it names may have been in use as another class, or purged, since. */
        if (first + count <= HAK_REGION_CHUNKS && region->class_before[first] == class_index &&
            bitmap_count_run(region->dirty, first, count) == count) {
            return first;
        }
    }
    return HAK_REGION_CHUNKS;
}

/* Position of a run of `count` dirty chunks, whose pages are resident already, or HAK_REGION_CHUNKS. */
static unsigned region_find_dirty_locked(struct region *region, unsigned count, unsigned class_index) {
    unsigned longest, first = region_find_same_locked(region, count, class_index);
    if (first == HAK_REGION_CHUNKS) {
        first = bitmap_find_run(region->dirty, HAK_REGION_CHUNKS, count, &longest);
        if (first == HAK_REGION_CHUNKS) {
            hak_runs_set(RUNS_DIRTY, region, longest);
        }
    }
    return first;
}

/* Position of a run of `count` free chunks that can be written, or HAK_REGION_CHUNKS. */
static unsigned region_find_free_locked(struct region *region, unsigned count) {
    unsigned longest;
    const unsigned first = bitmap_find_run(region->free, HAK_REGION_CHUNKS, count, &longest);
    if (first == HAK_REGION_CHUNKS) {
        hak_runs_set(RUNS_FREE, region, longest);
        return first;
    }
    const int error = hak_region_chunks_ready(region, first + count);
    if (error == EEXIST) {
        /* Nothing of it will ever be a chunk. */
        bitmap_set_run(region->free, region->ready, HAK_REGION_CHUNKS - region->ready, false);
    }
    return error == 0 ? first : HAK_REGION_CHUNKS;
}

/* What of the run was refused counts no more. pre: its dirty chunks are still noted as such */
static HAK_COLD void region_forget_refused_locked(struct region *region, unsigned first, unsigned count) {
    size_t refused = 0;
    for (unsigned chunk = first; chunk < first + count; chunk++) {
        const bool is_dirty = bitmap_count_run(region->dirty, chunk, 1) != 0;
        refused += is_dirty && region->freed_at_ms[chunk] == DECAY_REFUSED_MS ? HAK_CHUNK_BYTES : 0;
    }
    hak_store_relaxed(&hak_regions.refused_total, hak_regions.refused_total - refused);
}

/* The run's chunks wait no more, whatever becomes of them: the only way out of `dirty`, so that both totals follow. Result: how
 * many of them did. */
HAK_ALWAYS_INLINE unsigned region_forget_dirty_locked(struct region *region, unsigned first, unsigned count) {
    const unsigned dirty = bitmap_count_run(region->dirty, first, count);
    /* Plain subtraction by a relaxed store: only holders of the lock write. */
    hak_store_relaxed(&hak_regions.dirty_total, hak_regions.dirty_total - (size_t)dirty * HAK_CHUNK_BYTES);
    if (HAK_UNLIKELY(hak_regions.refused_total != 0)) {
        region_forget_refused_locked(region, first, count);
    }
    bitmap_set_run(region->dirty, first, count, false);
    return dirty;
}

/* A chunk that is free is of no class. One that is of a class was made free by a write into the header. */
HAK_ALWAYS_INLINE void region_expect_free(struct region *region, unsigned chunk) {
    const void *start = region_chunk_address(region, chunk);
    if (HAK_UNLIKELY(hak_load_relaxed(&region->chunk_class[chunk]) != 0 || page_map_class(start) != 0)) {
        hak_report_corruption("chunk", start, "it counts as free, and is of a class");
    }
}

void hak_region_take_locked(struct region *region, unsigned first, unsigned count, unsigned class_index,
                            struct span *out) {
    const unsigned dirty = region_forget_dirty_locked(region, first, count);
    bitmap_set_run(region->free, first, count, false);
    hak_count_add(&hak_regions.taken_total, (size_t)count * HAK_CHUNK_BYTES);
    for (unsigned chunk = first; chunk < first + count; chunk++) {
        region_expect_free(region, chunk);
        /* Relaxed: read by frees of blocks that are handed out after this, and by misuse. */
        hak_store_relaxed(&region->span_first[chunk], (uint16_t)first);
        hak_store_relaxed(&region->chunk_class[chunk], (uint8_t)class_index);
    }
    hak_page_map_set(region_chunk_address(region, first), count, class_index);
    *out = (struct span){.region = region, .first = first, .count = count, .zeroed = dirty == 0};
}

/* The chunk behind a slab, which is taken with it and holds no block. */
static void region_set_behind_locked(struct region *region, unsigned chunk) {
    hak_store_relaxed(&region->chunk_class[chunk], (uint8_t)0);
    hak_page_map_set(region_chunk_address(region, chunk), 1, 0);
}

/* A run of that kind, of the oldest region that has one, so that young regions become empty. */
static bool region_span_take_kind_locked(enum region_runs kind, unsigned node, unsigned count, unsigned class_index,
                                         struct span *out) {
    struct region *region;
    for (unsigned from = 0; (region = hak_runs_find(kind, node, from, count)) != NULL; from = region->number + 1) {
        const unsigned first = kind == RUNS_DIRTY ? region_find_dirty_locked(region, count, class_index)
                                                  : region_find_free_locked(region, count);
        if (first < HAK_REGION_CHUNKS) {
            hak_region_take_locked(region, first, count, class_index, out);
            if (HAK_GUARD_FULL && pages_chunks_behind() != 0) {
                region_set_behind_locked(region, first + count - 1);
            }
            return true;
        }
    }
    return false;
}

/* Dirty chunks of any region before clean ones of an older one: what is clean costs page faults and becomes resident. */
static bool region_span_take_locked(unsigned node, unsigned count, unsigned class_index, struct span *out) {
    return region_span_take_kind_locked(RUNS_DIRTY, node, count, class_index, out) ||
           region_span_take_kind_locked(RUNS_FREE, node, count, class_index, out);
}

/* false: nothing was left to give. */
static bool region_give_way_locked(void) {
    const bool gave = hak_give_way_tables();
    hak_region_chunks_stop_reserving();
    bool released = false;
    for (struct region *region = hak_regions.first; region != NULL; region = region->next) {
        released |= hak_region_chunks_release(region);
    }
    return gave || released;
}

/* From regions of other nodes. */
static bool region_span_take_far_locked(unsigned node, unsigned count, unsigned class_index, struct span *out) {
    for (unsigned step = 1; step < hak_node_count; step++) {
        if (region_span_take_locked(node_after(node, step), count, class_index, out)) {
            return true;
        }
    }
    return false;
}

int hak_region_span_alloc(unsigned count, unsigned class_index, struct span *out) {
    const size_t bytes = (size_t)count * HAK_CHUNK_BYTES;
    count += HAK_GUARD_FULL ? pages_chunks_behind() : 0;
    HAK_ASSERT(count >= 1 && count <= HAK_REGION_CHUNKS - REGION_CHUNK_FIRST && class_index != 0);
    const unsigned node = node_now();
    lock_acquire(&hak_regions.lock);
    int error = 0;
    bool taken;
    while (!(taken = region_span_take_locked(node, count, class_index, out)) && error == 0) {
        error = hak_region_more_locked(node);
        region_is_scarce |= error != 0;
        if (error != 0 && (taken = region_span_take_far_locked(node, count, class_index, out))) {
            break;
        }
        if (error != 0 && hak_give_way_may_help() && region_give_way_locked()) {
            error = 0;
        }
    }
    lock_release(&hak_regions.lock);
    if (taken) {
        hak_held_add(bytes);
        return 0;
    }
    return error;
}

static void *region_reuse_locked(unsigned node, unsigned count) {
    void *start = NULL;
    struct region *region;
    while (start == NULL && (region = hak_runs_find(RUNS_DIRTY, node, 0, count)) != NULL) {
        unsigned longest;
        const unsigned first = bitmap_find_run(region->dirty, HAK_REGION_CHUNKS, count, &longest);
        if (first < HAK_REGION_CHUNKS) {
            struct span span;
            hak_region_take_locked(region, first, count, 0, &span);
            start = region_chunk_address(region, first);
        } else {
            hak_runs_set(RUNS_DIRTY, region, longest);
        }
    }
    return start;
}

void *hak_region_reuse(unsigned count) {
    void *start = NULL;
    if (hak_region_dirty_bytes() < (size_t)count * HAK_CHUNK_BYTES) {
        return NULL;
    }
    const unsigned node = node_now();
    lock_acquire(&hak_regions.lock);
    for (unsigned step = 0; step < hak_node_count && start == NULL; step++) {
        start = region_reuse_locked(node_after(node, step), count);
    }
    lock_release(&hak_regions.lock);
    return start;
}

/* Where a limit was met, what is free at a region's end is for all again, and not for blocks only: the program's own
 * mappings, and the stacks of its threads. Not with guard full, which has made parts of it inaccessible. */
static void region_shrink_locked(struct region *region) {
    unsigned end = region->ready;
    while (end > REGION_CHUNK_FIRST && bitmap_count_run(region->free, end - 1, 1) != 0) {
        end--;
    }
    const unsigned count = region->ready - end;
    if (!HAK_GUARD_FULL && count != 0 && hak_region_chunks_shrink(region, end)) {
        (void)region_forget_dirty_locked(region, end, count);
    }
}

void hak_region_raise_runs_locked(const struct region *region, unsigned first) {
    hak_runs_raise(RUNS_FREE, region, bitmap_run_around(region->free, HAK_REGION_CHUNKS, first));
    hak_runs_raise(RUNS_DIRTY, region, bitmap_run_around(region->dirty, HAK_REGION_CHUNKS, first));
}

/* Chunks that nobody uses any more. */
static void region_give_back(struct region *region, unsigned first, unsigned count) {
    uint64_t now = hak_os_clock_ms();
    lock_acquire(&hak_regions.lock);
    HAK_ASSERT(bitmap_count_run(region->free, first, count) == 0);
    if (HAK_GUARD_EXACT) {
        hak_shadow_assert_dead(region_chunk_address(region, first), (size_t)count * HAK_CHUNK_BYTES);
    }
    hak_page_map_set(region_chunk_address(region, first), count, 0);
    const uint8_t class_index = region->chunk_class[first] & (REGION_HIDDEN - 1);
    region->class_before[first] = class_index;
    region->freed_before[first] = region->freed_last[class_index];
    region->freed_last[class_index] = (uint16_t)first;
    for (unsigned chunk = first; chunk < first + count; chunk++) {
        hak_store_relaxed(&region->chunk_class[chunk], (uint8_t)0);
        region->freed_at_ms[chunk] = now;
    }
    bitmap_set_run(region->free, first, count, true);
    bitmap_set_run(region->dirty, first, count, true);
    hak_store_relaxed(&hak_regions.taken_total, hak_regions.taken_total - (size_t)count * HAK_CHUNK_BYTES);
    hak_region_raise_runs_locked(region, first);
    hak_count_add(&hak_regions.dirty_total, (size_t)count * HAK_CHUNK_BYTES);
    if (HAK_UNLIKELY(region_is_scarce)) {
        region_shrink_locked(region);
    }
    lock_release(&hak_regions.lock);
    hak_decay_note_freed(now);
}

void hak_region_span_free(struct region *region, unsigned first, unsigned count) {
    hak_held_subtract((size_t)count * HAK_CHUNK_BYTES);
    region_give_back(region, first, count + (HAK_GUARD_FULL ? pages_chunks_behind() : 0));
}

void hak_region_reuse_end(void *start, unsigned count) {
    region_give_back(region_of(start), region_chunk_of(start), count);
}

unsigned hak_region_chunk_class(const void *p) {
    if (page_map_is_flat()) {
        return (uintptr_t)p >> HAK_ADDRESS_BITS == 0 ? page_map_class(p) : 0;
    }
    struct region *region = region_of(p);
    const unsigned class_index =
        hak_units_is_region(p) ? hak_load_relaxed(&region->chunk_class[region_chunk_of(p)]) : 0;
    return class_index < REGION_HIDDEN ? class_index : 0;
}

unsigned hak_region_hidden_class(const void *p) {
    if (!hak_region_contains(p)) {
        return 0;
    }
    const unsigned class_index = hak_load_relaxed(&region_of(p)->chunk_class[region_chunk_of(p)]);
    return class_index >= REGION_HIDDEN ? class_index - REGION_HIDDEN : 0;
}

/* Without the lock, both: between its allocation and its free a span's entries are the holder's. */
void hak_region_span_hide(const void *chunk, unsigned count) {
    struct region *region = region_of(chunk);
    hak_page_map_set(chunk, count, 0);
    for (unsigned i = region_chunk_of(chunk), end = i + count; i < end; i++) {
        /* Relaxed, all: who learns of a block in there learns it from the caller. */
        hak_store_relaxed(&region->chunk_class[i],
                          (uint8_t)(hak_load_relaxed(&region->chunk_class[i]) | REGION_HIDDEN));
    }
}

void hak_region_span_show(const void *chunk, unsigned count) {
    struct region *region = region_of(chunk);
    const unsigned first = region_chunk_of(chunk);
    const uint8_t class_index = (uint8_t)(hak_load_relaxed(&region->chunk_class[first]) & ~REGION_HIDDEN);
    for (unsigned i = first; i < first + count; i++) {
        hak_store_relaxed(&region->chunk_class[i], class_index);
    }
    hak_page_map_set(chunk, count, class_index);
}

bool hak_region_contains(const void *p) { return hak_units_is_region(p) && region_chunk_of(p) >= REGION_CHUNK_FIRST; }

void hak_region_for_each_span(void (*visit)(struct region *region, unsigned first, void *argument), void *argument) {
    lock_acquire(&hak_regions.lock);
    for (struct region *region = hak_regions.first; region != NULL; region = region->next) {
        /* Between regions others have their turn: a reader of a large heap stops nobody for long. */
        lock_release(&hak_regions.lock);
        lock_acquire(&hak_regions.lock);
        unsigned chunk = REGION_CHUNK_FIRST;
        while ((chunk = bitmap_next(region->free, HAK_REGION_CHUNKS, chunk, false)) < HAK_REGION_CHUNKS) {
            /* Chunks that are being purged are neither free nor of a class. */
            if (hak_load_relaxed(&region->chunk_class[chunk]) != 0 && region->span_first[chunk] == chunk) {
                visit(region, chunk, argument);
            }
            chunk++;
        }
    }
    lock_release(&hak_regions.lock);
}

size_t hak_region_refused_bytes(void) { return hak_load_relaxed(&hak_regions.refused_total); }

size_t hak_region_dirty_bytes(void) { return hak_load_relaxed(&hak_regions.dirty_total); }

size_t hak_region_count_now(void) { return hak_load_relaxed(&hak_regions.count); }

/* The entries of a chunk in the shadow are a page; those of a chunk that was purged are purged as well. */
static size_t region_shadow_bytes(void) {
    return HAK_GUARD_EXACT ? (hak_load_relaxed(&hak_regions.taken_total) + hak_region_dirty_bytes()) >> SHADOW_SHIFT
                           : 0;
}

size_t hak_region_metadata_bytes(void) {
    return hak_region_count_now() * (size_t)REGION_CHUNK_FIRST * HAK_CHUNK_BYTES + region_shadow_bytes();
}

void hak_region_fork_locks(lock_visit *visit, struct lock_fork *fork) { visit(&hak_regions.lock, fork); }

bool hak_region_give_way(void) {
    lock_acquire(&hak_regions.lock);
    const bool gave = region_give_way_locked();
    lock_release(&hak_regions.lock);
    return gave;
}

void hak_region_stop_reserving(void) {
    lock_acquire(&hak_regions.lock);
    hak_region_chunks_stop_reserving();
    lock_release(&hak_regions.lock);
}
