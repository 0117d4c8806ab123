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
#include "hakmem/magazine/reading.h"
#include "hakmem/magazine/shared.h"
#include "hakmem/os/os.h"
#include "hakmem/process/begin.h"
#include "hakmem/process/purge.h"
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

static void read_thread(struct stats_reading *reading, const struct hak_thread *thread, uint32_t *attempts) {
    struct hak_thread_stats own = {
        .number = thread->number,
        .tid = thread->tid,
        /* Relaxed: counts of running threads are a snapshot. */
        .exchanges = hak_load_relaxed(&thread->exchanges),
        .remote_frees = hak_load_relaxed(&thread->remote_frees),
    };
    for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT; class_index++) {
        const struct thread_class_totals read = hak_reading_class(thread, class_index, attempts);
        struct hak_class_stats *one = &reading->classes[class_index];
        one->allocations += read.allocations;
        one->frees += read.frees;
        one->cached_blocks += read.cached_blocks;
        own.allocations += read.allocations;
        own.frees += read.frees;
        own.cached_blocks += read.cached_blocks;
        own.magazine_bytes += read.cached_blocks * hak_classes[class_index].block_size;
    }
    ladder_hide_thread_counts(&own.allocations, &own.frees);
    reading->stats.exchanges += own.exchanges;
    reading->stats.remote_frees += own.remote_frees;
    reading->stats.threads++;
    if (reading->thread_count < reading->thread_capacity) {
        reading->threads[reading->thread_count++] = own;
    }
}

/* What threads count now, and what those counted that have ended or have no magazines. */
static void read_threads_locked(struct stats_reading *reading, const struct hak_thread *living) {
    const struct thread_totals ended = hak_thread_ended_totals_locked();
    reading->stats.exchanges = ended.exchanges;
    reading->stats.remote_frees = ended.remote_frees;
    reading->stats.metadata_bytes = ended.metadata_bytes;
    for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT; class_index++) {
        const struct thread_class_totals totals = hak_thread_ended_locked(class_index);
        uint64_t allocations, frees;
        hak_shared_class_totals(class_index, &allocations, &frees);
        reading->classes[class_index].cached_blocks = HAK_GUARD_FULL ? hak_quarantine_blocks(class_index) : 0;
        reading->classes[class_index].allocations = totals.allocations + allocations;
        reading->classes[class_index].frees = totals.frees + frees;
    }
    uint32_t attempts = READING_ATTEMPTS;
    for (const struct hak_thread *thread = living; thread != NULL; thread = thread->next) {
        read_thread(reading, thread, &attempts);
    }
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
    const struct hak_thread *living = hak_thread_list_acquire();
    hak_shared_acquire();
    const struct hak_reading_moves before = hak_reading_moves(living);
    hak_huge_totals(&huge);
    read_threads_locked(reading, living);
    hak_region_for_each_span(read_slab, reading);
    reading->stats.held_bytes = hak_held_bytes();
    hak_huge_totals(&huge_after);
    const struct hak_reading_moves after = hak_reading_moves(living);
    hak_shared_release();
    hak_thread_list_release();

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
