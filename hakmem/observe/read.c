/* SPDX-License-Identifier: MIT */
/* See read.h. The only reader of all counts.
 *
 * Live blocks are counted from the bitmaps and the magazines, independently of the counts of allocations
 * and frees: while no thread allocates, allocations - frees == live blocks. */
#include "hakmem/observe/read.h"

#include "hakmem/base/atomic.h"
#include "hakmem/base/config.h"
#include "hakmem/guard/quarantine.h"
#include "hakmem/guard/zero_size.h"
#include "hakmem/huge/huge.h"
#include "hakmem/ladder/counts.h"
#include "hakmem/ladder/learn.h"
#include "hakmem/magazine/reading.h"
#include "hakmem/magazine/shared.h"
#include "hakmem/os/os.h"
#include "hakmem/process/begin.h"
#include "hakmem/process/purge.h"
#include "hakmem/region/bitmap.h"
#include "hakmem/region/held.h"

enum hak_pool hak_stats_pool_of(unsigned class_index) {
    if (class_index <= HAK_TINY_CLASS_LAST) {
        return HAK_POOL_TINY;
    }
    return class_index <= HAK_L2_CLASS_LAST ? HAK_POOL_L2 : HAK_POOL_L25;
}

static void read_slab(struct region *region, unsigned first, void *argument) {
    struct stats_reading *reading = argument;
    const struct slab *slab = (const struct slab *)&region->descriptors[first];
    unsigned class_index;
    const enum slab_state state = hak_slab_state_and_class(slab, &class_index);
    if (state == SLAB_EMPTY) {
        return; /* being made, or on its way back to the region */
    }
    const struct hak_class *constants = &hak_classes[class_index];
    struct hak_class_stats *one = &reading->classes[class_index];
    const uint32_t free_blocks = hak_slab_count_free(slab, class_index);
    one->slabs++;
    one->slabs_owned += state == SLAB_OWNED;
    one->slabs_full += state == SLAB_FULL;
    one->slabs_partial += state == SLAB_PARTIAL;
    one->free_blocks += free_blocks;
    one->live_blocks += constants->blocks - free_blocks; /* and those in magazines, which read_class takes off */
    reading->stats.slab_bytes += (uint64_t)constants->chunks * HAK_CHUNK_BYTES;
}

/* Enters a thread among those that began last, as far as there is room: the youngest first. */
static void read_list_thread(struct stats_reading *reading, const struct hak_thread_stats *own, uint64_t begun) {
    size_t at = reading->thread_count;
    if (at < reading->thread_capacity) {
        reading->thread_count++;
    } else if (at == 0 || reading->begun == NULL || reading->begun[--at] > begun) {
        return;
    }
    for (; reading->begun != NULL && at > 0 && reading->begun[at - 1] < begun; at--) {
        reading->threads[at] = reading->threads[at - 1];
        reading->begun[at] = reading->begun[at - 1];
    }
    reading->threads[at] = *own;
    if (reading->begun != NULL) {
        reading->begun[at] = begun;
    }
}

/* Saturates: of a thread that goes on meanwhile, what is read last may be what was there first. */
static uint64_t read_since(uint64_t now, uint64_t before) { return now > before ? now - before : 0; }

/* What the threads of the record ever counted. `lives`: a thread has the record */
static void read_record(struct stats_reading *reading, struct hak_thread *thread, const struct reading_classes *classes,
                        bool lives, uint32_t *sleeps) {
    /* Acquire: what is taken off is read before what it is taken off from. Pairs with the release that ends the begin. */
    const struct hak_thread_former former = {.allocations = hak_load_acquire(&thread->former.allocations),
                                             .frees = hak_load_acquire(&thread->former.frees),
                                             .exchanges = hak_load_acquire(&thread->former.exchanges),
                                             .remote_frees = hak_load_acquire(&thread->former.remote_frees)};
    /* Relaxed, all: counts of running threads are a snapshot. */
    const uint64_t exchanges = hak_load_relaxed(&thread->exchanges);
    const uint64_t remote_frees = hak_load_relaxed(&thread->remote_frees);
    struct hak_thread_stats own = {.number = thread->number, .tid = hak_load_relaxed(&thread->tid)};
    for (unsigned class_index = 0;
         (class_index = bitmap_next(classes->words, HAK_CLASS_COUNT, class_index + 1, true)) < HAK_CLASS_COUNT;) {
        const struct thread_class_totals read = hak_reading_class(thread, class_index, classes, sleeps);
        struct hak_class_stats *one = &reading->classes[class_index];
        one->allocations += read.allocations;
        one->frees += read.frees;
        one->cached_blocks += read.cached_blocks;
        own.allocations += read.allocations;
        own.frees += read.frees;
        own.cached_blocks += read.cached_blocks;
        own.magazine_bytes += read.cached_blocks * hak_classes[class_index].block_size;
    }
    reading->stats.exchanges += exchanges;
    reading->stats.remote_frees += remote_frees;
    reading->stats.metadata_bytes += hak_record_bytes() + ladder_learning_bytes();
    if (lives) {
        reading->stats.threads++;
        own.allocations = read_since(own.allocations, former.allocations);
        own.frees = read_since(own.frees, former.frees);
        own.exchanges = read_since(exchanges, former.exchanges);
        own.remote_frees = read_since(remote_frees, former.remote_frees);
        ladder_hide_thread_counts(&own.allocations, &own.frees);
        read_list_thread(reading, &own, hak_load_relaxed(&thread->begun));
    }
}

/* What those counted that have no magazines. */
static void read_shared(struct stats_reading *reading) {
    for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT; class_index++) {
        struct hak_class_stats *one = &reading->classes[class_index];
        hak_shared_class_totals(class_index, &one->allocations, &one->frees);
        one->cached_blocks = HAK_GUARD_FULL ? hak_quarantine_blocks(class_index) : 0;
    }
}

/* A pass over all records, which takes their moves and, if `reading` is not NULL, the counts that stand beside them. */
static struct hak_reading_moves read_records(struct stats_reading *reading) {
    struct hak_reading_moves moves = hak_reading_begin();
    uint32_t sleeps = READING_SLEEPS;
    if (reading != NULL) {
        read_shared(reading);
    }
    for (struct hak_thread *thread = hak_record_newest(); thread != NULL; thread = thread->older) {
        struct reading_classes classes;
        const bool lives = hak_reading_add(&moves, thread, &classes);
        if (reading != NULL) {
            read_record(reading, thread, &classes, lives, &sleeps);
        }
    }
    return moves;
}

/* Full guard builds: blocks of size 0, which lie in no slab, count as blocks of the smallest class. */
static void read_zero_size(struct hak_class_stats *one) {
    struct hak_zero_size_totals zero_size;
    hak_zero_size_totals(&zero_size);
    one->allocations += zero_size.allocations;
    one->frees += zero_size.frees;
    one->live_blocks += zero_size.allocations - zero_size.frees;
}

static void read_class(struct hak_class_stats *one, unsigned class_index) {
    one->block_size = hak_classes[class_index].block_size;
    one->live_blocks = one->live_blocks > one->cached_blocks ? one->live_blocks - one->cached_blocks : 0;
    if (HAK_GUARD_FULL && class_index == HAK_TINY_CLASS_FIRST) {
        read_zero_size(one);
    }
    one->live_bytes = one->live_blocks * one->block_size;
    ladder_estimate(class_index, one->live_blocks, &one->allocations, &one->frees);
}

static void pool_add(struct hak_pool_stats *pool, const struct hak_class_stats *one) {
    pool->allocations += one->allocations;
    pool->frees += one->frees;
    pool->live_blocks += one->live_blocks;
    pool->live_bytes += one->live_bytes;
    pool->cached_blocks += one->cached_blocks;
    pool->cached_bytes += one->cached_blocks * one->block_size;
    pool->free_blocks += one->free_blocks;
    pool->free_bytes += one->free_blocks * one->block_size;
    pool->slabs += one->slabs;
    pool->slabs_owned += one->slabs_owned;
    pool->slabs_full += one->slabs_full;
    pool->slabs_partial += one->slabs_partial;
}

static void read_pools(struct stats_reading *reading) {
    struct hak_stats *stats = &reading->stats;
    struct hak_pool_stats *const pools[] = {
        [HAK_POOL_TINY] = &stats->tiny, [HAK_POOL_L2] = &stats->l2, [HAK_POOL_L25] = &stats->l25};
    for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT; class_index++) {
        read_class(&reading->classes[class_index], class_index);
        pool_add(pools[hak_stats_pool_of(class_index)], &reading->classes[class_index]);
    }
    for (enum hak_pool pool = HAK_POOL_TINY; pool <= HAK_POOL_L25; pool++) {
        stats->magazine_bytes += pools[pool]->cached_bytes;
        stats->slab_free_bytes += pools[pool]->free_bytes;
        stats->slab_free_blocks += pools[pool]->free_blocks;
    }
}

static void read_system(struct hak_stats *stats) {
    struct os_counters counters;
    hak_os_counters_get(&counters);
    stats->mapped_bytes = counters.mapped_bytes;
    stats->purged_bytes = counters.purged_bytes;
    stats->system_maps = counters.maps;
    stats->system_unmaps = counters.unmaps;
    stats->system_purges = counters.purges;
    stats->system_remaps = counters.remaps;
}

static void read_huge(struct hak_stats *stats, const struct hak_huge_totals *huge) {
    stats->huge = (struct hak_pool_stats){.allocations = huge->allocations,
                                          .frees = huge->frees,
                                          .live_blocks = huge->live_blocks,
                                          .live_bytes = huge->live_bytes};
    stats->huge_blocks_most = huge->live_blocks_most;
    stats->huge_bytes_most = huge->live_bytes_most;
    stats->metadata_bytes += huge->metadata_bytes;
}

void hak_stats_read(struct stats_reading *reading) {
    hak_process_begin();
    reading->stats = (struct hak_stats){.exact = ladder_counts_exactly()};
    reading->thread_count = 0;
    for (unsigned class_index = 0; class_index < HAK_CLASS_COUNT; class_index++) {
        reading->classes[class_index] = (struct hak_class_stats){0};
    }
    struct hak_huge_totals huge, huge_after;
    hak_huge_totals(&huge);
    const struct hak_reading_moves before = read_records(reading);
    hak_region_for_each_span(read_slab, reading);
    reading->stats.held_bytes = hak_held_bytes();
    hak_huge_totals(&huge_after);
    const struct hak_reading_moves after = read_records(NULL);

    struct hak_stats *stats = &reading->stats;
    stats->quiet = hak_reading_is_quiet(&before, &after) && huge.changes == huge_after.changes;
    read_pools(reading);
    read_huge(stats, &huge);
    read_system(stats);
    stats->held_bytes_most = hak_held_bytes_most();
    stats->metadata_bytes += hak_region_metadata_bytes();
    stats->decaying_bytes = hak_purge_waiting_bytes();
    stats->slabs_empty = hak_region_dirty_bytes() / HAK_CHUNK_BYTES;
}
