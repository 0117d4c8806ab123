/* SPDX-License-Identifier: MIT */
/* A class whose two magazines lie in the storage of one, until it is hot: what a swap, a walk and the end of that do. */
#include <string.h>

#include "hakmem/hakmem.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/unit/fresh_thread.h"

/* The class with the largest first room that is packed: a room that doubles is not. */
static unsigned packed_class(void) {
    unsigned c = 1;
    while (hak_exchange_first_room(c) > RECORD_PACKED_MOST) c++;
    return c;
}

/* As if other classes had been exchanged meanwhile: the class is never hot. */
static void *take_cold(unsigned c) {
    hak_self->classes[c].recent_exchanges = 0;
    return class_block(c);
}

static void give_cold(unsigned c, void *p) {
    hak_self->classes[c].recent_exchanges = 0;
    hak_free(p);
}

static void expect_one_storage(struct work *work) {
    (void)work;
    hak_free(hak_alloc(1)); /* the thread begins */
    unsigned packed = 0;
    for (unsigned c = 2; c < HAK_CLASS_COUNT && !exchange_is_uncached(c); c++) {
        const uint32_t used = hak_self->magazines_used;
        const bool is_packed = hak_exchange_first_room(c) <= RECORD_PACKED_MOST;
        hak_free(class_block(c));
        HAK_EXPECT_EQ(exchange_is_packed(hak_self, c), is_packed);
        HAK_EXPECT_EQ(hak_self->magazines_used - used, is_packed ? 1 : 2);
        packed += is_packed;
    }
    HAK_EXPECT_GT(packed, 0);
}

HAK_TEST(Packed, ClassesOfLittleRoomNeedOneStorage) {
    if (!HAK_P3_SENTINELS) HAK_SKIP("every class has its whole room");
    in_fresh_thread(expect_one_storage);
}

struct count {
    unsigned class_index;
    const struct work *work; /* the blocks that are live */
    uint32_t found, wrong;
};

static bool is_kept(const struct work *work, const void *p) {
    for (uint32_t i = 0; i < BLOCKS_MAX; i++) {
        if (work->blocks[i] == p) return true;
    }
    return false;
}

static bool count_block(const struct hak_walk_block *block, void *argument) {
    struct count *count = (struct count *)argument;
    if (block->pool != HAK_POOL_HUGE && block->class_index == count->class_index) {
        count->found++;
        count->wrong += !is_kept(count->work, block->start);
    }
    return true;
}

static void expect_walk_finds(const struct work *work, unsigned c, uint32_t live) {
    struct count count = {c, work, 0, 0};
    HAK_EXPECT_EQ(hak_walk(count_block, &count, NULL), 0);
    HAK_EXPECT_EQ(count.found, live);
    HAK_EXPECT_EQ(count.wrong, 0);
}

#define MARK(i) ((unsigned char)(1 + (i) % 251))

/* Replaces random blocks, of which each keeps what was written to it. */
static uint32_t replace(struct work *work, unsigned c, uint32_t live, unsigned steps, uint64_t *random) {
    const size_t size = hak_classes[c].block_size / 2;
    for (unsigned step = 0; step < steps; step++) {
        *random = *random * 6364136223846793005u + 1442695040888963407u;
        const uint32_t i = (uint32_t)(*random >> 33) % BLOCKS_MAX;
        unsigned char *p = (unsigned char *)work->blocks[i];
        if (p == NULL) {
            work->blocks[i] = p = (unsigned char *)take_cold(c);
            memset(p, MARK(i), size);
            live++;
        } else {
            HAK_EXPECT(p[0] == MARK(i) && p[size - 1] == MARK(i));
            work->blocks[i] = NULL;
            give_cold(c, p);
            live--;
        }
    }
    return live;
}

static void expect_each_block_once(struct work *work) {
    const unsigned c = packed_class();
    uint64_t random = 7;
    uint32_t live = 0;
    hak_free(hak_alloc(1));
    const uint64_t before = census_class(c).live_blocks;
    for (unsigned round = 0; round < 20; round++) {
        live = replace(work, c, live, 300, &random);
        HAK_EXPECT(exchange_is_packed(hak_self, c));
        HAK_EXPECT_EQ(census_class(c).live_blocks, before + live);
        if (before == 0) expect_walk_finds(work, c, live);
        CENSUS_EXPECT_CONSISTENT();
    }
    for (uint32_t i = 0; i < BLOCKS_MAX; i++) give_cold(c, work->blocks[i]);
    HAK_EXPECT_EQ(census_class(c).live_blocks, before);
}

HAK_TEST_ISOLATED(Packed, SwapsGiveEachBlockOnce, "") {
    if (!HAK_P3_SENTINELS) HAK_SKIP("every class has its whole room");
    in_fresh_thread(expect_each_block_once);
}

/* Takes and gives back ever other numbers of blocks, so that room is made while either magazine holds some. */
static void expect_blocks_stay_when_hot(struct work *work) {
    const unsigned c = packed_class();
    hak_free(hak_alloc(1));
    hak_free(take_cold(c));
    const uint32_t room = hak_exchange_first_room(c), kept = 2 * room, used = hak_self->magazines_used;
    for (uint32_t i = 0; i < kept; i++) work->blocks[i] = take_cold(c);
    const uint64_t live = census_class(c).live_blocks;
    HAK_EXPECT(exchange_is_packed(hak_self, c));
    for (uint32_t round = 0; exchange_is_packed(hak_self, c) && round < 1000; round++) {
        const uint32_t end = kept + 1 + round * 7 % (2 * room);
        for (uint32_t i = kept; i < end; i++) work->blocks[i] = class_block(c);
        HAK_EXPECT_EQ(census_class(c).live_blocks, live + end - kept);
        for (uint32_t i = kept; i < end; i++) hak_free(work->blocks[i]);
        HAK_EXPECT_EQ(census_class(c).live_blocks, live);
    }
    HAK_EXPECT(!exchange_is_packed(hak_self, c));
    HAK_EXPECT_EQ(hak_self->magazines_used, used + 1);
    HAK_EXPECT_GT(exchange_capacity(hak_self, c), room);
    memset(&work->blocks[kept], 0, sizeof work->blocks - kept * sizeof work->blocks[0]);
    expect_walk_finds(work, c, kept);
    for (uint32_t i = 0; i < kept; i++) hak_free(work->blocks[i]);
    CENSUS_EXPECT_CONSISTENT();
}

HAK_TEST_ISOLATED(Packed, ClassThatIsHotGetsStorageForEachMagazine, "") {
    if (!HAK_P3_SENTINELS) HAK_SKIP("every class has its whole room");
    in_fresh_thread(expect_blocks_stay_when_hot);
}

/* The second time the record's storage has another order, and what was left in it. */
static void expect_packed_again(struct work *work) {
    expect_blocks_stay_when_hot(work);
    hak_thread_idle();
    expect_blocks_stay_when_hot(work);
    hak_thread_idle();
    expect_one_storage(work);
}

HAK_TEST_ISOLATED(Packed, MagazinesThatWereTakenAwayArePackedAgain, "") {
    if (!HAK_P3_SENTINELS) HAK_SKIP("every class has its whole room");
    in_fresh_thread(expect_packed_again);
}
