/* The reader of all counts: classes, pools, the process. The public functions of hakmem.h.
 *
 * Live blocks are counted from the bitmaps and the magazines, independently of the counts of allocations
 * and frees: while no thread allocates, allocations - frees == live blocks. */
#include "hakmem/guard/zero_size.h"
#include "hakmem/hakmem.h"
#include "hakmem/huge/huge.h"
#include "hakmem/magazine/process.h"
#include "hakmem/magazine/thread.h"
#include "hakmem/os/os.h"
#include "hakmem/slab/purge.h"
#include "hakmem/stats/sample.h"

/* What the bitmaps say of one class, or of all of them. */
struct slab_census {
    uint64_t slabs[HAK_CLASS_COUNT];
    uint64_t used_blocks[HAK_CLASS_COUNT]; /* live or in a magazine */
    uint64_t free_blocks[HAK_CLASS_COUNT];
};

static void census_visit(struct region *region, unsigned first, void *argument) {
    struct slab_census *census = argument;
    const struct slab *slab = (const struct slab *)&region->descriptors[first];
    if (slab_state_of(slab) == SLAB_EMPTY) {
        return; /* being made, or on its way back to the region */
    }
    const unsigned class_index = slab->class_index;
    const uint32_t free_blocks = slab_count_free(slab);
    census->slabs[class_index]++;
    census->free_blocks[class_index] += free_blocks;
    census->used_blocks[class_index] += hak_classes[class_index].blocks - free_blocks;
}

/* Full guard builds: blocks of size 0, which lie in no slab, count as blocks of the smallest class. Result: live ones */
static uint64_t census_zero_size(struct thread_class_totals *totals) {
    struct zero_size_totals zero_size;
    zero_size_totals(&zero_size);
    totals->allocations += zero_size.allocations;
    totals->frees += zero_size.frees;
    return zero_size.allocations - zero_size.frees;
}

static void census_class(const struct slab_census *census, unsigned class_index, struct hak_class_stats *out) {
    struct thread_class_totals totals;
    thread_class_totals(class_index, &totals);
    const uint64_t used = census->used_blocks[class_index];
    uint64_t live = used > totals.cached_blocks ? used - totals.cached_blocks : 0;
    if (HAK_GUARD_FULL && class_index == HAK_TINY_CLASS_FIRST) {
        live += census_zero_size(&totals);
    }
    if (!HAK_P1_BATCHED_STATS) {
        /* Relaxed: a snapshot. An estimate below what is alive would make the frees negative. */
        uint64_t sampled = SAMPLE_PERIOD * hak_load_relaxed(&hak_sample_counts[class_index]);
        totals.allocations = sampled > live ? sampled : live;
        totals.frees = totals.allocations - live;
    }
    *out = (struct hak_class_stats){
        .block_size = hak_classes[class_index].block_size,
        .allocations = totals.allocations,
        .frees = totals.frees,
        .live_blocks = live,
        .slabs = census->slabs[class_index],
        .cached_blocks = totals.cached_blocks,
        .live_bytes = live * hak_classes[class_index].block_size,
        .free_blocks = census->free_blocks[class_index],
    };
}

static void pool_add(struct hak_pool_stats *pool, const struct hak_class_stats *class_stats) {
    pool->allocations += class_stats->allocations;
    pool->frees += class_stats->frees;
    pool->live_blocks += class_stats->live_blocks;
    pool->slabs += class_stats->slabs;
    pool->cached_blocks += class_stats->cached_blocks;
    pool->live_bytes += class_stats->live_bytes;
}

static void stats_slab_pools(struct hak_stats *stats) {
    struct slab_census census = {0};
    region_for_each_span(census_visit, &census);
    for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT; class_index++) {
        struct hak_class_stats one;
        census_class(&census, class_index, &one);
        struct hak_pool_stats *pool = class_index <= HAK_TINY_CLASS_LAST ? &stats->tiny
                                      : class_index <= HAK_L2_CLASS_LAST ? &stats->l2
                                                                         : &stats->l25;
        pool_add(pool, &one);
        stats->magazine_bytes += one.cached_blocks * one.block_size;
        stats->slab_free_bytes += one.free_blocks * one.block_size;
        stats->slab_free_blocks += one.free_blocks;
    }
}

void hak_stats_get(struct hak_stats *stats) {
    process_begin();
    *stats = (struct hak_stats){.exact = HAK_P1_BATCHED_STATS};
    stats_slab_pools(stats);

    struct huge_totals huge;
    huge_totals(&huge);
    stats->huge = (struct hak_pool_stats){.allocations = huge.allocations,
                                          .frees = huge.frees,
                                          .live_blocks = huge.live_blocks,
                                          .live_bytes = huge.live_bytes};
    stats->huge_blocks_most = huge.live_blocks_most;
    stats->huge_bytes_most = huge.live_bytes_most;

    struct thread_totals threads;
    thread_totals(&threads);
    stats->exchanges = threads.exchanges;
    stats->remote_frees = threads.remote_frees;
    stats->metadata_bytes = threads.metadata_bytes + huge.metadata_bytes + region_metadata_bytes();
    stats->decaying_bytes = purge_waiting_bytes();

    struct os_counters counters;
    os_counters_get(&counters);
    stats->mapped_bytes = counters.mapped_bytes;
    stats->purged_bytes = counters.purged_bytes;
    stats->system_maps = counters.maps;
    stats->system_unmaps = counters.unmaps;
    stats->system_purges = counters.purges;
}

bool hak_class_get_stats(unsigned class_index, struct hak_class_stats *stats) {
    if (class_index == 0 || class_index >= HAK_CLASS_COUNT) {
        return false;
    }
    process_begin();
    struct slab_census census = {0};
    region_for_each_span(census_visit, &census);
    census_class(&census, class_index, stats);
    return true;
}

bool hak_tiny_get_stats(int tiny_class, struct hak_class_stats *stats) {
    if (tiny_class < 0 || tiny_class > HAK_TINY_CLASS_LAST - HAK_TINY_CLASS_FIRST) {
        return false;
    }
    return hak_class_get_stats((unsigned)(tiny_class + HAK_TINY_CLASS_FIRST), stats);
}

unsigned hak_class_count(void) { return HAK_CLASS_COUNT; }
