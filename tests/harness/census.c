/* SPDX-License-Identifier: MIT */
/* The allocator's counts; the contract stands in census.h. */
#include "tests/harness/census.h"

#include <string.h>

#include "hakmem/base/config.h"
#include "tests/harness/harness.h"

const size_t census_sizes[CENSUS_SIZE_COUNT] = {
    0,    1,    8,    9,     16,    17,    64,     100,    512,     513,           1023,    1024,
    1025, 2048, 5000, 16385, 32768, 32769, 100000, 300000, 1 << 20, (1 << 20) + 1, 3 << 20, 20 << 20,
};

struct hak_class_stats census_class(unsigned class_index) {
    struct hak_class_stats stats;
    memset(&stats, 0, sizeof stats);
    HAK_EXPECT(hak_class_get_stats(class_index, &stats));
    return stats;
}

struct hak_stats census_all(void) {
    struct hak_stats stats;
    hak_stats_get(&stats);
    return stats;
}

unsigned census_class_of_size(size_t size) {
    void *p = hak_alloc(size);
    struct hak_owner_info info;
    memset(&info, 0, sizeof info);
    HAK_EXPECT(hak_owner(p, &info));
    hak_free(p);
    return info.class_index;
}

static void add(struct hak_pool_stats *sum, const struct hak_pool_stats *part) {
    sum->allocations += part->allocations;
    sum->frees += part->frees;
    sum->live_blocks += part->live_blocks;
    sum->live_bytes += part->live_bytes;
    sum->cached_blocks += part->cached_blocks;
    sum->cached_bytes += part->cached_bytes;
    sum->free_blocks += part->free_blocks;
    sum->free_bytes += part->free_bytes;
    sum->slabs += part->slabs;
    sum->slabs_owned += part->slabs_owned;
    sum->slabs_full += part->slabs_full;
    sum->slabs_partial += part->slabs_partial;
}

static struct hak_pool_stats sum_of_pools(void) {
    struct hak_stats all = census_all();
    struct hak_pool_stats sum = all.tiny;
    add(&sum, &all.l2);
    add(&sum, &all.l25);
    add(&sum, &all.huge);
    return sum;
}

uint64_t census_live_blocks(void) { return sum_of_pools().live_blocks; }
uint64_t census_allocations(void) { return sum_of_pools().allocations; }
uint64_t census_frees(void) { return sum_of_pools().frees; }
uint64_t census_slabs(void) { return sum_of_pools().slabs; }

static void expect_same(const char *pool, const char *what, uint64_t of_pool, uint64_t of_classes, const char *file,
                        int line) {
    if (of_pool == of_classes) return;
    harness_fail(file, line, "%s of pool %s: %llu, the sum of its classes is %llu", what, pool,
                 (unsigned long long)of_pool, (unsigned long long)of_classes);
}

static void expect_balance(const char *what, size_t block_size, const struct hak_pool_stats *counts, const char *file,
                           int line) {
    if (counts->allocations - counts->frees == counts->live_blocks) return;
    harness_fail(file, line, "%s of %zu bytes: %llu allocations, %llu frees, %llu live blocks", what, block_size,
                 (unsigned long long)counts->allocations, (unsigned long long)counts->frees,
                 (unsigned long long)counts->live_blocks);
}

static void expect_pool(const char *name, const struct hak_pool_stats *pool, size_t above, size_t up_to,
                        const char *file, int line) {
    struct hak_pool_stats sum;
    memset(&sum, 0, sizeof sum);
    for (unsigned c = 1; c < hak_class_count(); c++) {
        struct hak_class_stats one = census_class(c);
        if (one.block_size <= above || one.block_size > up_to) continue;
        struct hak_pool_stats part = {.allocations = one.allocations,
                                      .frees = one.frees,
                                      .live_blocks = one.live_blocks,
                                      .live_bytes = one.live_blocks * one.block_size,
                                      .cached_blocks = one.cached_blocks,
                                      .cached_bytes = one.cached_blocks * one.block_size,
                                      .free_blocks = one.free_blocks,
                                      .free_bytes = one.free_blocks * one.block_size,
                                      .slabs = one.slabs,
                                      .slabs_owned = one.slabs_owned,
                                      .slabs_full = one.slabs_full,
                                      .slabs_partial = one.slabs_partial};
        expect_same(name, "slabs by state", one.slabs, one.slabs_owned + one.slabs_full + one.slabs_partial, file,
                    line);
        expect_balance("class", one.block_size, &part, file, line);
        add(&sum, &part);
    }
    expect_same(name, "allocations", pool->allocations, sum.allocations, file, line);
    expect_same(name, "frees", pool->frees, sum.frees, file, line);
    expect_same(name, "live blocks", pool->live_blocks, sum.live_blocks, file, line);
    expect_same(name, "slabs", pool->slabs, sum.slabs, file, line);
    expect_same(name, "owned slabs", pool->slabs_owned, sum.slabs_owned, file, line);
    expect_same(name, "full slabs", pool->slabs_full, sum.slabs_full, file, line);
    expect_same(name, "partial slabs", pool->slabs_partial, sum.slabs_partial, file, line);
    expect_same(name, "cached bytes", pool->cached_bytes, sum.cached_bytes, file, line);
    expect_same(name, "free bytes", pool->free_bytes, sum.free_bytes, file, line);
    expect_same(name, "cached blocks", pool->cached_blocks, sum.cached_blocks, file, line);
    expect_same(name, "live bytes", pool->live_bytes, sum.live_bytes, file, line);
    expect_same(name, "free blocks", pool->free_blocks, sum.free_blocks, file, line);
}

void census_expect_consistent(const char *file, int line) {
    struct hak_stats all = census_all();
    expect_pool("tiny", &all.tiny, 0, HAK_TINY_MAX, file, line);
    expect_pool("l2", &all.l2, HAK_TINY_MAX, HAK_L2_MAX, file, line);
    expect_pool("l25", &all.l25, HAK_L2_MAX, HAK_L25_MAX, file, line);
    expect_balance("huge pool", 0, &all.huge, file, line);
    struct hak_pool_stats sum = all.tiny;
    add(&sum, &all.l2);
    add(&sum, &all.l25);
    expect_same("all", "held bytes", all.held_bytes, all.slab_bytes + all.huge.live_bytes, file, line);
    expect_same("all", "magazine bytes", all.magazine_bytes, sum.cached_bytes, file, line);
    expect_same("all", "free bytes of slabs", all.slab_free_bytes, sum.free_bytes, file, line);
    expect_same("all", "free blocks of slabs", all.slab_free_blocks, sum.free_blocks, file, line);
}

void census_expect_allocations(uint64_t before, uint64_t after, uint64_t made, const char *file, int line) {
    uint64_t counted = after - before;
    uint64_t difference = counted > made ? counted - made : made - counted;
    bool exact = census_all().exact;
    /* The estimate's error is that of all allocations up to now, not only of those in between. */
    uint64_t population = (before > after ? before : after) + made;
    unsigned __int128 square = (unsigned __int128)difference * difference;
    if (exact ? difference == 0 : square <= (unsigned __int128)(36 * 15) * population) return;
    harness_fail(file, line, "%llu allocations were made, %llu counted (%s)", (unsigned long long)made,
                 (unsigned long long)counted, exact ? "exact" : "an estimate, further off than six deviations");
}
