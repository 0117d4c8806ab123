/* SPDX-License-Identifier: MIT */
/* Each figure of the statistics is what the part of the allocator says that it comes from, beside threads that live, that have ended,
 * and that have the record of one that ended. */
#include <pthread.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/config.h"
#include "hakmem/hakmem.h"
#include "hakmem/huge/huge.h"
#include "hakmem/ladder/learn.h"
#include "hakmem/magazine/record.h"
#include "hakmem/magazine/shared.h"
#include "hakmem/os/os.h"
#include "hakmem/process/purge_pass.h"
#include "hakmem/region/held.h"
#include "hakmem/region/region.h"
#include "tests/harness/harness.h"

#define ALONE "HAKMEM_PURGE_DELAY_MS=-1 HAKMEM_PURGE_THREAD=0"

enum { BLOCKS = 4000, SIZE = 64, THREADS_MOST = 16 };

static void expect_system(const struct hak_stats *stats) {
    struct os_counters counters;
    hak_os_counters_get(&counters);
    HAK_EXPECT_EQ(stats->mapped_bytes, counters.mapped_bytes);
    HAK_EXPECT_EQ(stats->purged_bytes, counters.purged_bytes);
    HAK_EXPECT_EQ(stats->system_maps, counters.maps);
    HAK_EXPECT_EQ(stats->system_unmaps, counters.unmaps);
    HAK_EXPECT_EQ(stats->system_purges, counters.purges);
    HAK_EXPECT_EQ(stats->system_remaps, counters.remaps);
}

static void expect_huge(const struct hak_stats *stats, const struct hak_huge_totals *huge) {
    HAK_EXPECT_EQ(stats->huge.allocations, huge->allocations);
    HAK_EXPECT_EQ(stats->huge.frees, huge->frees);
    HAK_EXPECT_EQ(stats->huge.live_blocks, huge->live_blocks);
    HAK_EXPECT_EQ(stats->huge.live_bytes, huge->live_bytes);
    HAK_EXPECT_EQ(stats->huge_blocks_most, huge->live_blocks_most);
    HAK_EXPECT_EQ(stats->huge_bytes_most, huge->live_bytes_most);
}

/* Result: threads that have a record */
static uint64_t expect_records(const struct hak_stats *stats, uint64_t other_metadata_bytes) {
    uint64_t records = 0, living = 0, exchanges = 0, remote_frees = 0;
    for (const struct hak_thread *thread = hak_record_newest(); thread != NULL; thread = thread->older) {
        records++;
        living += (hak_load_acquire(&thread->tops) & RECORD_HAS_TOPS) != 0;
        exchanges += hak_load_relaxed(&thread->exchanges);
        remote_frees += hak_load_relaxed(&thread->remote_frees);
    }
    HAK_EXPECT_EQ(stats->threads, living);
    HAK_EXPECT_EQ(stats->exchanges, exchanges);
    HAK_EXPECT_EQ(stats->remote_frees, remote_frees);
    HAK_EXPECT_EQ(stats->metadata_bytes,
                  records * (hak_record_bytes() + ladder_learning_bytes()) + other_metadata_bytes);
    return living;
}

static void expect_sources(void) {
    struct hak_stats stats;
    struct hak_huge_totals huge;
    hak_stats_get(&stats);
    hak_huge_totals(&huge);
    expect_system(&stats);
    expect_huge(&stats, &huge);
    HAK_EXPECT_GT(expect_records(&stats, huge.metadata_bytes + hak_region_metadata_bytes()), 0);
    HAK_EXPECT_EQ(stats.held_bytes, hak_held_bytes());
    HAK_EXPECT_EQ(stats.held_bytes_most, hak_held_bytes_most());
    HAK_EXPECT_EQ(stats.decaying_bytes, hak_purge_waiting_bytes());
    HAK_EXPECT_EQ(stats.slabs_empty * HAK_CHUNK_BYTES, hak_region_dirty_bytes());
}

static void *blocks[BLOCKS];

static void *free_blocks(void *from) {
    for (unsigned i = *(unsigned *)from; i < BLOCKS; i++) hak_free(blocks[i]);
    return NULL;
}

static pthread_barrier_t has_begun, may_end;

/* With the record of the thread before: its counts begin at 0, and those of the process go on. */
static void *allocate_some(void *record) {
    static void *own[BLOCKS / 4];
    for (unsigned i = 0; i < BLOCKS / 4; i++) own[i] = hak_alloc(SIZE);
    for (unsigned i = 0; i < 10; i++) hak_free(own[i]);
    *(struct hak_thread **)record = hak_self;
    pthread_barrier_wait(&has_begun);
    pthread_barrier_wait(&may_end);
    for (unsigned i = 10; i < BLOCKS / 4; i++) hak_free(own[i]);
    return NULL;
}

static const struct hak_thread_stats *find(const struct hak_thread_stats *threads, size_t count,
                                           const struct hak_thread *record) {
    for (size_t i = 0; i < count; i++) {
        if (threads[i].number == record->number) return &threads[i];
    }
    return NULL;
}

/* Result: whether the record had counted something before its thread began */
static bool expect_thread(const struct hak_thread_stats *threads, size_t count, const struct hak_thread *record) {
    const struct hak_thread_stats *const own = find(threads, count, record);
    HAK_EXPECT(own != NULL);
    if (own == NULL) return false;
    HAK_EXPECT_EQ(own->tid, record->tid);
    HAK_EXPECT_EQ(own->exchanges, record->exchanges - record->former.exchanges);
    HAK_EXPECT_EQ(own->remote_frees, record->remote_frees - record->former.remote_frees);
    HAK_EXPECT_GT(own->exchanges, 0);
    return record->former.exchanges > 0 && record->former.remote_frees > 0;
}

HAK_TEST_ISOLATED(StatsSources, EachFigureIsWhatItsSourceSays, ALONE) {
    static struct hak_thread_stats threads[THREADS_MOST];
    struct hak_thread *record = NULL;
    unsigned from = 0;
    pthread_t thread;
    HAK_ASSERT_TRUE(pthread_barrier_init(&has_begun, NULL, 2) == 0 && pthread_barrier_init(&may_end, NULL, 2) == 0);
    void *huge = hak_alloc((size_t)40 << 20), *const large = hak_alloc(500000);
    HAK_ASSERT_TRUE((huge = hak_realloc(huge, (size_t)80 << 20)) != NULL);
    hak_free(hak_alloc((size_t)50 << 20));
    expect_sources();
    for (unsigned i = 0; i < BLOCKS; i++) HAK_ASSERT_TRUE((blocks[i] = hak_alloc(SIZE)) != NULL);
    HAK_ASSERT_TRUE(pthread_create(&thread, NULL, free_blocks, &from) == 0);
    HAK_EXPECT_EQ(pthread_join(thread, NULL), 0);
    expect_sources();
    HAK_ASSERT_TRUE(pthread_create(&thread, NULL, allocate_some, &record) == 0);
    pthread_barrier_wait(&has_begun);
    expect_sources();
    const size_t count = hak_stats_get_threads(threads, THREADS_MOST);
    HAK_EXPECT_EQ(count, 2);
    (void)expect_thread(threads, count, hak_self);
    HAK_EXPECT(expect_thread(threads, count, record));
    const struct hak_thread_stats *const own = find(threads, count, record);
    struct hak_stats stats;
    hak_stats_get(&stats);
    if (stats.exact && own != NULL) {
        HAK_EXPECT_EQ(own->allocations, BLOCKS / 4);
        HAK_EXPECT_EQ(own->frees, 10);
    }
    pthread_barrier_wait(&may_end);
    HAK_EXPECT_EQ(pthread_join(thread, NULL), 0);
    hak_free(large);
    hak_free(huge);
    hak_thread_flush();
    expect_sources();
    HAK_EXPECT_GT(hak_trim(), 0);
    expect_sources();
}

/* What threads without magazines counted is there for each class, in the pool of the class, and for that class alone. */
HAK_TEST_ISOLATED(StatsSources, WhatNoThreadCountedIsThereForEachClass, ALONE) {
    static struct hak_class_stats before[HAK_CLASS_COUNT], after[HAK_CLASS_COUNT];
    struct hak_stats stats, stats_after;
    hak_free(hak_alloc(16));
    HAK_EXPECT(hak_stats_get_classes(&stats, before, HAK_CLASS_COUNT));
    if (!stats.exact) HAK_SKIP("the build estimates its counts");
    for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT; class_index++) {
        hak_shared_count(class_index, 100 + class_index, 100 + class_index);
        HAK_EXPECT(hak_stats_get_classes(&stats_after, after, HAK_CLASS_COUNT));
        for (unsigned other = 1; other < HAK_CLASS_COUNT; other++) {
            const uint64_t more = other <= class_index ? 100 + other : 0;
            HAK_EXPECT_EQ(after[other].allocations, before[other].allocations + more);
            HAK_EXPECT_EQ(after[other].frees, before[other].frees + more);
            HAK_EXPECT_EQ(after[other].block_size, hak_classes[other].block_size);
        }
        HAK_EXPECT_EQ(stats_after.tiny.frees + stats_after.l2.frees + stats_after.l25.frees -
                          (stats.tiny.frees + stats.l2.frees + stats.l25.frees),
                      (uint64_t)class_index * 100 + (uint64_t)class_index * (class_index + 1) / 2);
    }
}
