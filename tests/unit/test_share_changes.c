/* SPDX-License-Identifier: MIT */
/* Other threads begin and end while a thread decides how much room a magazine has: the share of the one moment decides, and the room
 * is never more than the magazine has slots. Between two looks at the share it changes here, by the linker's --wrap. */
#include <stdint.h>

#include "hakmem/hakmem.h"
#include "hakmem/magazine/exchange.h"
#include "hakmem/magazine/share.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/threads.h"

#define MANY 1000 /* threads: each has the least share */
#define BLOCKS 300

/* The class of which the most blocks fit a share, so that they are some, and fewer than a magazine has. */
#define CLASS HAK_L2_CLASS_FIRST

static uint32_t looks;        /* atomic; at the share of a thread */
static uint32_t threads_then; /* atomic; so many there are right behind the next look; 0: as many as before */

uint32_t __real_hak_share_blocks(size_t block_size, uint32_t most);
uint32_t __wrap_hak_share_blocks(size_t block_size, uint32_t most);

/* Relaxed, all: the test that counts or plans has one thread. */
uint32_t __wrap_hak_share_blocks(size_t block_size, uint32_t most) {
    const uint32_t blocks = __real_hak_share_blocks(block_size, most);
    const uint32_t threads = __atomic_exchange_n(&threads_then, 0, __ATOMIC_RELAXED);
    __atomic_fetch_add(&looks, 1, __ATOMIC_RELAXED);
    if (threads != 0) hak_share_divide(threads);
    return blocks;
}

static void change_behind_next_look(uint32_t threads) {
    __atomic_store_n(&looks, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&threads_then, threads, __ATOMIC_RELAXED);
}

static uint32_t looks_since(void) { return __atomic_load_n(&looks, __ATOMIC_RELAXED); }

HAK_TEST_ISOLATED(ShareChanges, BlocksOfAShareAreAtMostThoseOfTheMagazine, "") {
    hak_share_divide(SHARE_FREE_THREADS);
    HAK_EXPECT_EQ(hak_share_blocks(1152, 64), 64);
    HAK_EXPECT_EQ(hak_share_blocks(1, UINT8_MAX), UINT8_MAX);
    hak_share_divide(SHARE_FREE_THREADS + 1);
    HAK_EXPECT_EQ(hak_share_blocks(1152, 64), 35);
    HAK_EXPECT_EQ(hak_share_blocks(1152, 34), 34);
    HAK_EXPECT_EQ(hak_share_blocks(share_magazine_bytes(), 64), 1);
    HAK_EXPECT_EQ(hak_share_blocks(share_magazine_bytes() + 1, 64), 0);
}

HAK_TEST_ISOLATED(ShareChanges, EachRoomIsOfOneLook, "") {
    static const uint32_t changes[][2] = {{17, 16}, {16, 17}, {MANY, 1}, {1, MANY}};
    if (!HAK_P3_SENTINELS) HAK_SKIP("room does not vary");
    hak_free(hak_alloc(1)); /* the thread has begun */
    for (unsigned i = 0; i < sizeof changes / sizeof *changes; i++) {
        for (unsigned c = HAK_L2_CLASS_FIRST; c < HAK_CLASS_COUNT && !exchange_is_uncached(c); c++) {
            hak_share_divide(changes[i][0]);
            const uint32_t most = hak_exchange_most_room(c), first = hak_exchange_first_room(c);
            HAK_EXPECT_LE(most, hak_classes[c].magazine);
            HAK_EXPECT_LE(first, most);
            change_behind_next_look(changes[i][1]);
            HAK_EXPECT_EQ(hak_exchange_most_room(c), most);
            HAK_EXPECT_EQ(looks_since(), 1);
            hak_share_divide(changes[i][0]);
            change_behind_next_look(changes[i][1]);
            HAK_EXPECT_EQ(hak_exchange_first_room(c), first);
            HAK_EXPECT_EQ(looks_since(), 1);
        }
    }
}

/* All blocks of the class that are taken are different, and none comes back changed. */
static void expect_class_works(void) {
    static uintptr_t *blocks[BLOCKS];
    for (unsigned i = 0; i < BLOCKS; i++) {
        blocks[i] = (uintptr_t *)hak_alloc(hak_classes[CLASS].block_size);
        *blocks[i] = i;
    }
    for (unsigned i = 0; i < BLOCKS; i++) HAK_EXPECT_EQ(*blocks[i], i);
    for (unsigned i = 0; i < BLOCKS; i++) hak_free(blocks[i]);
    CENSUS_EXPECT_CONSISTENT();
}

/* Both magazines of the class lie in one storage. Were they given more room than they have there they would overlap. */
HAK_TEST_ISOLATED(ShareChanges, MagazinesThatLoseRoomGetNoMoreMeanwhile, "") {
    if (!HAK_P3_SENTINELS) HAK_SKIP("room does not vary");
    hak_share_divide(1);
    hak_free(hak_alloc(hak_classes[CLASS].block_size));
    hak_thread_flush();
    const uint32_t before = exchange_capacity(hak_self, CLASS);
    HAK_EXPECT(exchange_is_packed(hak_self, CLASS));
    hak_share_divide(MANY);
    const uint32_t fewer = hak_exchange_most_room(CLASS);
    HAK_EXPECT_LT(fewer, before);
    change_behind_next_look(1);
    hak_free(hak_alloc(hak_classes[CLASS].block_size)); /* its exchange takes the room away */
    HAK_EXPECT_EQ(share_magazine_bytes(), SIZE_MAX);
    HAK_EXPECT_EQ(looks_since(), 1);
    HAK_EXPECT_EQ(exchange_capacity(hak_self, CLASS), fewer);
    HAK_EXPECT(exchange_is_packed(hak_self, CLASS));
    expect_class_works();
}

static uint32_t must_end; /* atomic */
static uint32_t room_most;

/* One thread looks while the other says again and again that a thread began or ended, until it has seen enough of that. Where the
 * processors are busy it may see little: what the cases above find always is found here most times. */
static void look_or_change(void *argument, unsigned index) {
    (void)argument;
    if (index == 1) {
        while (__atomic_load_n(&must_end, __ATOMIC_RELAXED) == 0) {
            hak_share_divide(SHARE_FREE_THREADS + 1);
            hak_share_divide(SHARE_FREE_THREADS);
        }
        return;
    }
    uint32_t before = 0;
    for (unsigned i = 0, seen = 0; i < HAK_TEST_SCALE(20000000) && seen < HAK_TEST_SCALE(200000); i++) {
        const uint32_t room = hak_exchange_most_room(CLASS);
        seen += room != before;
        before = room;
        room_most = room > room_most ? room : room_most;
    }
    __atomic_store_n(&must_end, 1, __ATOMIC_RELAXED);
}

HAK_TEST_ISOLATED(ShareChanges, RoomIsAtMostTheMagazineWhileThreadsBeginAndEnd, "") {
    threads_run(2, look_or_change, NULL);
    HAK_EXPECT_GT(room_most, 0);
    HAK_EXPECT_LE(room_most, hak_classes[CLASS].magazine);
}
