/* SPDX-License-Identifier: MIT */
/* What guard full keeps beside blocks, held against what is as plain as can be: quarantines, the queue of huge blocks, and the range of
 * blocks of size 0, up to the last of their places. */
#include <string.h>

#include "hakmem/base/random.h"
#include "hakmem/guard/quarantine.h"
#include "hakmem/guard/zero_size.h"
#include "hakmem/hakmem.h"
#include "hakmem/magazine/exchange.h"
#include "hakmem/magazine/shared.h"
#include "hakmem/os/fake/fake.h"
#include "hakmem/os/os.h"
#include "hakmem/pool/pool.h"
#include "hakmem/process/begin.h"
#include "hakmem/slab/slab.h"
#include "hakmem/size_class/size_class.h"
#include "tests/harness/harness.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

/* ---- Quarantines ---- */

/* Half of 32 KiB, in places and in the queue each: at least 2 blocks, at most 256. */
static uint32_t half_of(unsigned class_index) {
    const size_t blocks = 16 * KIB / hak_classes[class_index].block_size;
    return blocks < 2 ? 2 : blocks > 256 ? 256 : (uint32_t)blocks;
}

static uintptr_t passed; /* blocks so far, which are their numbers times 16 */

static uint32_t pass_one(unsigned class_index, uint32_t thread, uintptr_t *left) {
    void *leaving[QUARANTINE_BATCH], *p = (void *)(16 * ++passed);
    const uint32_t count = hak_quarantine_pass(class_index, thread, &p, 1, leaving);
    HAK_EXPECT_LE(count, 1);
    *left = count == 0 ? 0 : (uintptr_t)leaving[0] / 16;
    return count;
}

/* Passes until every place is used, which so many times at random reach. What leaves was in the queue first. */
static void fill(unsigned class_index, uint32_t thread) {
    const uint32_t half = half_of(class_index), times = 40 * half;
    uintptr_t left;
    for (uint32_t i = 0; i < times; i++) {
        if (pass_one(class_index, thread, &left) == 1) HAK_EXPECT_GE(passed - left, half + 1);
    }
}

static uint64_t drain(unsigned class_index) {
    void *leaving[QUARANTINE_BATCH];
    uint64_t all = 0;
    for (uint32_t count; (count = hak_quarantine_drain(class_index, leaving)) != 0; all += count) {
        HAK_EXPECT_LE(count, QUARANTINE_BATCH);
        for (uint32_t i = 0; i < count; i++) HAK_EXPECT(leaving[i] != NULL);
    }
    return all;
}

HAK_TEST_ISOLATED(Quarantine, OfEachClassAsManyWaitAsItsBytesHold, "") {
    hak_process_begin();
    for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT; class_index++) {
        const uint64_t most = (uint64_t)2 * half_of(class_index);
        fill(class_index, 2);
        HAK_EXPECT_EQ(hak_quarantine_blocks(class_index), most);
        HAK_EXPECT_EQ(drain(class_index), most);
        HAK_EXPECT_EQ(hak_quarantine_blocks(class_index), 0);
    }
}

/* Threads of four numbers have one each, and the fifth shares the first's. */
HAK_TEST_ISOLATED(Quarantine, ThreadsShareFour, "") {
    const unsigned class_index = HAK_CLASS_COUNT - 1;
    const uint64_t most = (uint64_t)2 * half_of(class_index);
    hak_process_begin();
    for (uint32_t thread = 0; thread < 6; thread++) {
        fill(class_index, thread);
        HAK_EXPECT_EQ(hak_quarantine_blocks(class_index), (thread < 4 ? thread + 1 : 4) * most);
    }
    HAK_EXPECT_EQ(drain(class_index), 4 * most);
}

/* A batch passes as its blocks would one by one: none is lost, and none comes out twice. */
HAK_TEST_ISOLATED(Quarantine, BatchesComeOutOnce, "") {
    enum { BLOCKS = 12000 };
    static unsigned char out[BLOCKS];
    const unsigned class_index = 3;
    uint64_t random = 5;
    uint32_t in = 0, left = 0;
    void *batch[QUARANTINE_BATCH], *leaving[QUARANTINE_BATCH];
    hak_process_begin();
    while (in < BLOCKS) {
        const uint32_t wanted = 1 + (uint32_t)(random_xorshift64(&random) % QUARANTINE_BATCH);
        const uint32_t count = wanted < BLOCKS - in ? wanted : BLOCKS - in;
        for (uint32_t i = 0; i < count; i++) batch[i] = (void *)(uintptr_t)(16 * (in + i + 1));
        in += count;
        uint32_t leave = hak_quarantine_pass(class_index, 1, batch, count, leaving);
        HAK_EXPECT_LE(leave, count);
        for (left += leave; leave > 0;) out[(uintptr_t)leaving[--leave] / 16 - 1]++;
        HAK_EXPECT_EQ(hak_quarantine_blocks(class_index), in - left);
    }
    for (uint32_t count; (count = hak_quarantine_drain(class_index, leaving)) != 0;) {
        while (count > 0) out[(uintptr_t)leaving[--count] / 16 - 1]++;
    }
    for (unsigned i = 0; i < BLOCKS; i++) HAK_EXPECT_EQ(out[i], 1);
}

/* ---- Exchanges, whose blocks pass through a quarantine ---- */

#define EXCHANGED 3u
#define MOST_LIVE 4000u

static void *live[MOST_LIVE];
static unsigned live_count;

static void take_one(void) {
    live[live_count] = pool_alloc(EXCHANGED, hak_classes[EXCHANGED].block_size);
    HAK_EXPECT(live[live_count++] != NULL);
}

static void free_one(void) { hak_free(live[--live_count]); }

static uint32_t loaded_level(void) { return exchange_loaded_level(hak_self, EXCHANGED); }

static uint32_t returned_level(void) { return exchange_returned_level(hak_self, EXCHANGED); }

/* Every place of the quarantine is used. So many blocks are in the returned magazine, and none in the loaded one. */
static void return_so_many(uint32_t level) {
    const uint64_t most = (uint64_t)2 * half_of(EXCHANGED);
    for (unsigned round = 0; round == 0 || (round < 100 && hak_quarantine_blocks(EXCHANGED) < most); round++) {
        while (live_count < MOST_LIVE - 1000) take_one();
        while (live_count > 1000) free_one();
        hak_thread_flush();
    }
    HAK_EXPECT_EQ(hak_quarantine_blocks(EXCHANGED), most);
    HAK_EXPECT_EQ(returned_level() + loaded_level(), 0);
    take_one();
    while (loaded_level() > 0) take_one();
    while (returned_level() < level) free_one();
}

/* What was returned waits, and what has waited as long as that takes is loaded in its place: no slab is touched. */
HAK_TEST_ISOLATED(Quarantine, WhatHasWaitedIsLoadedForWhatIsReturned,
                  "HAKMEM_PURGE_DELAY_MS=-1 HAKMEM_GUARD=quarantine") {
    hak_process_begin();
    hak_free(hak_alloc(1));
    return_so_many(0); /* the class has magazines of all their room */
    const uint32_t level = exchange_swap_least(hak_self, EXCHANGED) + 10;
    return_so_many(level);
    struct hak_thread_class *const own = &hak_self->classes[EXCHANGED];
    const uint32_t free_in_slab = own->active[0]->free_count;
    const uint64_t allocations = own->allocations;
    own->loaded_zeroed = true;
    take_one();
    HAK_EXPECT_EQ(loaded_level(), level - 1);
    HAK_EXPECT_EQ(returned_level(), 0);
    HAK_EXPECT_EQ(own->active[0]->free_count, free_in_slab);
    HAK_EXPECT_EQ(hak_quarantine_blocks(EXCHANGED), (uint64_t)2 * half_of(EXCHANGED));
    HAK_EXPECT(!own->loaded_zeroed);
    HAK_EXPECT_GE(own->allocations, allocations);
}

/* Of fewer than are worth it none waits, and a slab is asked. */
HAK_TEST_ISOLATED(Quarantine, LittleThatIsReturnedStays, "HAKMEM_PURGE_DELAY_MS=-1 HAKMEM_GUARD=quarantine") {
    hak_process_begin();
    hak_free(hak_alloc(1));
    take_one(); /* the class has magazines */
    for (unsigned enough = 0; enough < 2; enough++) {
        return_so_many(0);
        const uint32_t level = exchange_swap_least(hak_self, EXCHANGED) - 1 + enough;
        while (returned_level() < level) free_one();
        const uint32_t free_in_slab = hak_self->classes[EXCHANGED].active[0]->free_count;
        take_one();
        HAK_EXPECT_EQ(returned_level(), enough ? 0 : level);
        if (enough) HAK_EXPECT_EQ(loaded_level(), level - 1);
        if (enough) HAK_EXPECT_EQ(hak_self->classes[EXCHANGED].active[0]->free_count, free_in_slab);
        if (!enough) HAK_EXPECT_NE(hak_self->classes[EXCHANGED].active[0]->free_count, free_in_slab);
    }
}

/* What a thread without magazines frees waits too. */
HAK_TEST_ISOLATED(Quarantine, WhatThreadsWithoutARecordFreeWaits, "HAKMEM_PURGE_DELAY_MS=-1 HAKMEM_GUARD=quarantine") {
    hak_process_begin();
    void *const p = hak_shared_alloc(EXCHANGED);
    HAK_ASSERT_TRUE(p != NULL);
    const struct slab *const slab = slab_of(p);
    const uint32_t free_in_slab = hak_slab_count_free(slab, EXCHANGED);
    hak_shared_free(EXCHANGED, p);
    HAK_EXPECT_EQ(hak_quarantine_blocks(EXCHANGED), 1);
    HAK_EXPECT_EQ(hak_slab_count_free(slab, EXCHANGED), free_in_slab);
    HAK_EXPECT_EQ(drain(EXCHANGED), 1);
}

/* Whatever waits is given out before memory counts as exhausted. */
HAK_TEST_ISOLATED(Quarantine, NothingWaitsWhereMemoryIsExhausted, "HAKMEM_PURGE_DELAY_MS=-1 HAKMEM_GUARD=quarantine") {
    const unsigned class_index = HAK_L2_CLASS_LAST;
    const size_t size = hak_classes[class_index].block_size;
    hak_process_begin();
    hak_free(hak_alloc(1));
    live[live_count++] = pool_alloc(class_index, size);
    os_fake_reset();
    os_fake_fail_from(1);
    while (live_count < MOST_LIVE && (live[live_count] = pool_alloc(class_index, size)) != NULL) live_count++;
    HAK_ASSERT_TRUE(live_count < MOST_LIVE && live_count > 3);
    for (unsigned i = 0; i < 3; i++) hak_free(live[--live_count]);
    hak_thread_flush();
    HAK_EXPECT_EQ(hak_quarantine_blocks(class_index), 3);
    for (unsigned i = 0; i < 3; i++) HAK_EXPECT(pool_alloc(class_index, size) != NULL);
    HAK_EXPECT_EQ(hak_quarantine_blocks(class_index), 0);
    HAK_EXPECT_PTR_EQ(pool_alloc(class_index, size), NULL);
    os_fake_reset();
}

/* ---- Huge blocks ---- */

#define HUGE_SPANS 16u
#define HUGE_BYTES (32 * MIB)

static struct quarantine_span waiting[HUGE_SPANS + 1]; /* the oldest first */
static unsigned waiting_count;
static size_t waiting_bytes;

static void expect_oldest(const struct quarantine_span *leaving) {
    HAK_EXPECT_PTR_EQ(leaving->start, waiting[0].start);
    HAK_EXPECT_EQ(leaving->bytes, waiting[0].bytes);
    waiting_bytes -= waiting[0].bytes;
    memmove(waiting, waiting + 1, --waiting_count * sizeof *waiting);
}

static void expect_spans(void) {
    for (unsigned i = 0; i < waiting_count; i++) {
        char *const start = waiting[i].start, *const end = start + waiting[i].bytes;
        HAK_EXPECT(hak_quarantine_has_huge(start) && hak_quarantine_has_huge(end - 1));
        HAK_EXPECT(!hak_quarantine_has_huge(start - 1) && !hak_quarantine_has_huge(end));
    }
}

static void pass_span(struct quarantine_span span) {
    struct quarantine_span leaving = {0};
    while (waiting_count > 0 && (waiting_count == HUGE_SPANS || waiting_bytes + span.bytes > HUGE_BYTES)) {
        HAK_ASSERT_TRUE(hak_quarantine_pass_huge(&span, &leaving));
        expect_oldest(&leaving);
    }
    HAK_ASSERT_TRUE(!hak_quarantine_pass_huge(&span, &leaving));
    waiting[waiting_count++] = span;
    waiting_bytes += span.bytes;
    expect_spans();
}

HAK_TEST_ISOLATED(Quarantine, HugeBlocksWaitInAQueueOfSixteenAndThirtyTwoMiB, "") {
    struct quarantine_span leaving;
    uint64_t random = 9;
    uintptr_t next = 1 << 30;
    HAK_EXPECT(!hak_quarantine_drain_huge(&leaving));
    HAK_EXPECT(!hak_quarantine_has_huge((void *)next));
    for (unsigned step = 0; step < 3000; step++) {
        /* Often many small ones, or few whose sum is the bound exactly, and at times one that is larger than all that may wait. */
        const size_t units[] = {1, 2, 128, 512};
        const uint64_t value = random_xorshift64(&random);
        const size_t bytes = (step % 97 == 0 ? 600 : units[value % 4]) * 64 * KIB;
        pass_span((struct quarantine_span){(void *)next, bytes});
        next += bytes + 64 * KIB;
        if (value % 31 == 0) {
            HAK_EXPECT(hak_quarantine_drain_huge(&leaving));
            expect_oldest(&leaving);
        }
    }
    while (waiting_count > 0) {
        HAK_EXPECT(hak_quarantine_drain_huge(&leaving));
        expect_oldest(&leaving);
    }
    HAK_EXPECT_EQ(waiting_bytes, 0);
    HAK_EXPECT(!hak_quarantine_drain_huge(&leaving));
}

/* ---- Blocks of size 0 ---- */

#define ZERO_BYTES ((size_t)16 << 24) /* of the whole range */
#define ZERO_FEW ((uint32_t)1 << 20)  /* blocks that are left of it where addresses are short */
#define ALL "HAKMEM_GUARD=zero_size"

static char *first_zero;

static void count_zero(void *start, size_t size, void *argument) {
    HAK_EXPECT_EQ(size, 0);
    HAK_EXPECT(start != NULL);
    ++*(uint32_t *)argument;
}

static void take_zero(uint32_t count) {
    hak_process_begin();
    HAK_ASSERT_TRUE((first_zero = hak_zero_size_alloc()) != NULL);
    for (uint32_t i = 1; i < count; i++) {
        if (hak_zero_size_alloc() != first_zero + (size_t)i * ZERO_SIZE_ALIGNMENT) {
            harness_fail(__FILE__, __LINE__, "block %u is out of turn", i);
            return;
        }
    }
}

HAK_TEST_ISOLATED(ZeroSize, AddressesAreTakenInTurnToTheLast, ALL) {
    const uint32_t again[] = {0, 1, 63, 64, 127, 5000, ZERO_FEW - 1};
    struct hak_zero_size_totals totals;
    hak_process_begin();
    HAK_EXPECT(hak_zero_size_give_way());
    HAK_EXPECT(!hak_zero_size_give_way());
    take_zero(ZERO_FEW);
    HAK_EXPECT_PTR_EQ(hak_zero_size_alloc(), NULL);
    for (unsigned i = 0; i < sizeof again / sizeof again[0]; i++) {
        char *const p = first_zero + (size_t)again[i] * ZERO_SIZE_ALIGNMENT;
        HAK_EXPECT(hak_zero_size_is_live(p));
        HAK_EXPECT(!hak_zero_size_is_live(p + 1) && !hak_zero_size_free(p + 8));
        HAK_EXPECT(hak_zero_size_free(p));
        HAK_EXPECT(!hak_zero_size_is_live(p) && !hak_zero_size_free(p));
    }
    for (unsigned i = 0; i < sizeof again / sizeof again[0]; i++) {
        HAK_EXPECT_PTR_EQ(hak_zero_size_alloc(), first_zero + (size_t)again[i] * ZERO_SIZE_ALIGNMENT);
    }
    HAK_EXPECT_PTR_EQ(hak_zero_size_alloc(), NULL);
    hak_zero_size_totals(&totals);
    HAK_EXPECT_EQ(totals.allocations, ZERO_FEW + sizeof again / sizeof again[0]);
    HAK_EXPECT_EQ(totals.frees, sizeof again / sizeof again[0]);
    char *const middle = first_zero + (size_t)64 * 100 * ZERO_SIZE_ALIGNMENT;
    HAK_EXPECT(hak_zero_size_free(middle));
    HAK_EXPECT_PTR_EQ(hak_zero_size_alloc(), middle);
    HAK_EXPECT(hak_zero_size_has(first_zero) && hak_zero_size_has(first_zero + ZERO_BYTES - 1));
    HAK_EXPECT(!hak_zero_size_has(first_zero - 1) && !hak_zero_size_has(first_zero + ZERO_BYTES));
    HAK_EXPECT(!hak_zero_size_is_live(first_zero - 16) && !hak_zero_size_is_live(first_zero + ZERO_BYTES));
    HAK_EXPECT(!hak_zero_size_is_live(first_zero + (size_t)ZERO_FEW * ZERO_SIZE_ALIGNMENT));
    for (uint32_t i = 0; i < ZERO_FEW; i += 3) (void)hak_zero_size_free(first_zero + (size_t)i * ZERO_SIZE_ALIGNMENT);
    hak_zero_size_totals(&totals);
    HAK_EXPECT_EQ(totals.allocations - totals.frees, ZERO_FEW - (ZERO_FEW + 2) / 3);
}

/* Each live one is visited, whatever word of bits it is in. */
HAK_TEST_ISOLATED(ZeroSize, EachLiveOneIsVisited, ALL) {
    const uint32_t counts[] = {1, 62, 1, 1, 64, 300};
    uint32_t taken = 0;
    hak_process_begin();
    for (unsigned i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        uint32_t seen = 0;
        for (uint32_t k = 0; k < counts[i]; k++) HAK_EXPECT(hak_zero_size_alloc() != NULL);
        taken += counts[i];
        hak_zero_size_for_each(count_zero, &seen);
        HAK_EXPECT_EQ(seen, taken);
    }
}

/* The range gives way only while no block can lie behind what stays. */
HAK_TEST_ISOLATED(ZeroSize, GivesWayUpToItsLastBlock, ALL) {
    take_zero(ZERO_FEW - 1);
    HAK_EXPECT(hak_zero_size_give_way());
}

HAK_TEST_ISOLATED(ZeroSize, GivesNoWayWhereMoreWereTaken, ALL) {
    take_zero(ZERO_FEW);
    HAK_EXPECT(!hak_zero_size_give_way());
    HAK_EXPECT_PTR_EQ(hak_zero_size_alloc(), first_zero + (size_t)ZERO_FEW * ZERO_SIZE_ALIGNMENT);
}

/* Where the system refuses any of what it takes, nothing of it stays. */
HAK_TEST_ISOLATED(ZeroSize, ARefusedRangeLeavesNothing, ALL) {
    const unsigned kinds[] = {OS_FAKE_RESERVE, OS_FAKE_MAKE_INACCESSIBLE, OS_FAKE_MAP};
    struct os_counters before, after;
    take_zero(1);
    for (unsigned i = 0; i < 3; i++) {
        hak_os_counters_get(&before);
        os_fake_reset();
        os_fake_fail_only(kinds[i]);
        os_fake_fail_at(1);
        HAK_EXPECT_NE(hak_zero_size_init(), 0);
        HAK_EXPECT_EQ(os_fake_calls(), 1);
        os_fake_reset();
        hak_os_counters_get(&after);
        HAK_EXPECT_EQ(after.unmaps - before.unmaps, kinds[i] == OS_FAKE_RESERVE ? 0 : 1);
        HAK_EXPECT_EQ(after.mapped_bytes, before.mapped_bytes);
    }
    HAK_EXPECT(hak_zero_size_is_live(first_zero));
}
