/* SPDX-License-Identifier: MIT */
/* Everything at once: threads that come and go make seeded random calls over all pools, check every block's
 * content before they let go of it, and hand blocks to each other through a table.
 *
 * HAK_STRESS_ROUNDS in the environment makes the runs longer. Each slot of the table has a lock, so that a
 * block's description goes with it. */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hakmem/base/random.h"
#include "hakmem/base/watcher.h"
#include "hakmem/flags/flags.h"
#include "hakmem/hakmem.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/pattern.h"
#include "tests/harness/threads.h"

#define WORKERS 4
#define GENERATIONS 4
#define ROUNDS HAK_TEST_SCALE(600) /* a life */
#define OWN_SLOTS 48
#define SHARED_SLOTS 96
#define WHOLE_MAX 4096 /* larger blocks are marked on each page only */

/* A block and what is in it. p NULL: none. */
struct held {
    void *p;
    size_t size;
    uint64_t seed;
    bool is_aligned; /* asked for with an alignment: no block for hak_free_sized */
};

static struct shared_slot {
    pthread_mutex_t lock;
    struct held held; /* lock */
} shared_slots[SHARED_SLOTS];

/* One thread's life. */
struct life {
    uint64_t random;
    struct held own[OWN_SLOTS];
};

static void fill(struct held *held) {
    (held->size <= WHOLE_MAX ? pattern_fill : pattern_mark_pages)(held->p, held->size, held->seed);
}

static void expect_content(const struct held *held, const void *p, size_t size) {
    bool holds = (held->size <= WHOLE_MAX ? pattern_holds : pattern_pages_hold)(p, size, held->seed);
    if (!holds) harness_fail(__FILE__, __LINE__, "block %p of %zu bytes has lost its content", p, held->size);
}

/* Mostly small sizes, of every pool. */
static size_t random_size(uint64_t value) {
    unsigned pool = value % 100;
    uint64_t rest = value >> 16;
    if (pool < 70) return rest % (rest >> 32 & 1 ? 129 : 1025);
    if (pool < 90) return 1025 + rest % 31744;
    if (pool < 99) return 32769 + rest % (rest >> 32 & 1 ? 100000 : 1015808);
    return (1 << 20) + 1 + rest % (2 << 20);
}

static void expect_aligned(const void *p, size_t alignment) { HAK_EXPECT_EQ((uintptr_t)p % alignment, 0); }

/* A new block by one of the calls that give one. */
static void acquire(struct life *life, struct held *held) {
    uint64_t value = random_xorshift64(&life->random);
    size_t alignment = (size_t)1 << (value >> 40) % 17;
    held->size = random_size(value);
    held->seed = value;
    held->is_aligned = false;
    switch (value >> 60) {
    case 0:
        held->p = hak_calloc(1, held->size);
        HAK_EXPECT(held->p == NULL || pattern_all_zero(held->p, held->size));
        break;
    case 1:
        held->p = hak_aligned_alloc(alignment, held->size);
        expect_aligned(held->p, alignment);
        held->is_aligned = true;
        break;
    case 2: held->p = hak_alloc_at(held->size, &shared_slots[value % SHARED_SLOTS]); break;
    default: held->p = hak_alloc(held->size); break;
    }
    HAK_ASSERT_TRUE(held->p != NULL);
    HAK_EXPECT_GE(hak_usable_size(held->p), held->size);
    fill(held);
}

static void release(struct life *life, struct held *held) {
    if (held->p == NULL) return;
    expect_content(held, held->p, held->size);
    if (!held->is_aligned && random_xorshift64(&life->random) % 8 == 0) {
        hak_free_sized(held->p, held->size);
    } else {
        hak_free(held->p);
    }
    held->p = NULL;
}

static void resize(struct life *life, struct held *held) {
    uint64_t value = random_xorshift64(&life->random);
    size_t size = value >> 63 ? random_size(value) + 1 : held->size + held->size / 2 + 1;
    if (size > 8 << 20) size = 1;
    void *p = hak_realloc(held->p, size);
    HAK_ASSERT_TRUE(p != NULL);
    if (held->p != NULL) expect_content(held, p, held->size < size ? held->size : size);
    *held = (struct held){p, size, value, false};
    fill(held);
}

static void swap_with_shared(struct life *life, struct held *held) {
    struct shared_slot *slot = &shared_slots[random_xorshift64(&life->random) % SHARED_SLOTS];
    pthread_mutex_lock(&slot->lock);
    struct held taken = slot->held;
    slot->held = *held;
    pthread_mutex_unlock(&slot->lock);
    *held = taken;
    if (held->p != NULL) expect_content(held, held->p, held->size);
}

static void ask(const struct held *held) {
    struct hak_owner_info info;
    if (held->p == NULL) return;
    HAK_ASSERT_TRUE(hak_owner((char *)held->p + held->size / 2, &info));
    if (WATCHER_RUNS()) {
        HAK_EXPECT((char *)info.block < (char *)held->p);
    } else {
        HAK_EXPECT_PTR_EQ(info.block, held->p);
    }
    if (HAK_GUARD_FULL || WATCHER_RUNS()) {
        /* What was asked for, and behind it room for the canary, or bytes that are watched. */
        HAK_EXPECT_EQ(hak_usable_size(held->p), held->size);
    } else {
        HAK_EXPECT_EQ(info.block_size, hak_usable_size(held->p));
    }
}

static void do_one_thing(struct life *life) {
    uint64_t value = random_xorshift64(&life->random);
    struct held *held = &life->own[(value >> 32) % OWN_SLOTS];
    unsigned what = value % 1000;
    if (what < 550) {
        release(life, held);
        acquire(life, held);
    } else if (what < 700) {
        release(life, held);
    } else if (what < 800) {
        resize(life, held);
    } else if (what < 950) {
        swap_with_shared(life, held);
    } else if (what < 996) {
        ask(held);
    } else if (what < 998) {
        hak_thread_flush();
    } else if (what < 999) {
        hak_trim();
    } else {
        HAK_EXPECT_GT(census_all().mapped_bytes, 0);
    }
}

static unsigned long rounds_of_a_life(void) {
    const char *wanted = getenv("HAK_STRESS_ROUNDS");
    return wanted != NULL ? strtoul(wanted, NULL, 10) : (unsigned long)ROUNDS;
}

/* Ends with blocks in the table that others will free. */
static void *live(void *argument) {
    struct life *life = (struct life *)argument;
    for (unsigned long round = rounds_of_a_life(); round > 0; round--) do_one_thing(life);
    for (unsigned i = 0; i < OWN_SLOTS; i++) {
        if (i % 2 == 0) swap_with_shared(life, &life->own[i]);
        release(life, &life->own[i]);
    }
    return NULL;
}

/* One thread after the other, beside the other workers'. */
static void live_several_lives(void *argument, unsigned index) {
    (void)argument;
    for (unsigned generation = 0; generation < GENERATIONS; generation++) {
        struct life life;
        memset(&life, 0, sizeof life);
        life.random = 1000 * (index + 1) + generation;
        pthread_t thread;
        HAK_ASSERT_TRUE(pthread_create(&thread, NULL, live, &life) == 0);
        HAK_EXPECT_EQ(pthread_join(thread, NULL), 0);
    }
}

static void empty_table(void) {
    struct life life = {.random = 1};
    for (unsigned i = 0; i < SHARED_SLOTS; i++) release(&life, &shared_slots[i].held);
}

static void run(unsigned workers) {
    for (unsigned i = 0; i < SHARED_SLOTS; i++) pthread_mutex_init(&shared_slots[i].lock, NULL);
    threads_run(workers, live_several_lives, NULL);
    CENSUS_EXPECT_CONSISTENT();
    empty_table();
    HAK_EXPECT_EQ(census_live_blocks(), 0);
    HAK_EXPECT_EQ(census_allocations(), census_frees());
    CENSUS_EXPECT_CONSISTENT();
    hak_trim();
    HAK_EXPECT_EQ(census_slabs(), 0);
    HAK_EXPECT_EQ(census_all().decaying_bytes, 0);
    for (unsigned i = 0; i < SHARED_SLOTS; i++) pthread_mutex_destroy(&shared_slots[i].lock);
}

HAK_TEST(Stress, OneThreadAfterTheOther) { run(1); }
HAK_TEST(Stress, ManyThreads) { run(WORKERS); }

HAK_TEST_ISOLATED(Stress, ManyThreadsWithoutDecay, "HAKMEM_PURGE_DELAY_MS=0") { run(WORKERS); }
HAK_TEST_ISOLATED(Stress, ManyThreadsWithShortDecay, "HAKMEM_PURGE_DELAY_MS=5") { run(WORKERS); }

/* .bazelrc has the other tests under AddressSanitizer without. */
HAK_TEST_ISOLATED(Stress, ManyThreadsWatched, "ASAN_OPTIONS=allow_user_poisoning=1") {
    HAK_EXPECT_EQ(WATCHER_RUNS(), HAK_ADDRESS_SANITIZER && HAK_WATCHED);
    if (!WATCHER_RUNS()) HAK_SKIP("nobody watches");
    run(WORKERS);
}
