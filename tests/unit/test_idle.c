/* SPDX-License-Identifier: MIT */
/* Slabs of threads that are idle are taken from them, and the threads go on as if nothing had happened. */
#include <pthread.h>

#include "hakmem/hakmem.h"
#include "hakmem/magazine/exchange.h"
#include "hakmem/magazine/exchange_hold.h"
#include "hakmem/magazine/idle.h"
#include "hakmem/os/os.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/threads.h"

#define BLOCKS 64
#define ROUNDS 3

/* A thread that works when the main thread lets it, and waits meanwhile. */
struct sleeper {
    pthread_barrier_t turn;
    struct hak_thread *record;
};

static bool is_looking;

void __real_hak_slab_detach(struct slab *slab, unsigned class_index);
void __wrap_hak_slab_detach(struct slab *slab, unsigned class_index);

/* Slabs are detached when their class is let go: by then the owner must not free into them as its own. */
void __wrap_hak_slab_detach(struct slab *slab, unsigned class_index) {
    if (is_looking) HAK_EXPECT_EQ(hak_load_relaxed(&slab->owner), SLAB_NOBODY);
    __real_hak_slab_detach(slab, class_index);
}

static uint64_t slabs_owned(void) {
    const struct hak_stats stats = census_all();
    return stats.tiny.slabs_owned + stats.l2.slabs_owned + stats.l25.slabs_owned;
}

/* Leaves active slabs of many classes, in which nearly all is free. */
static void work(void) {
    for (unsigned c = 1; c < HAK_CLASS_COUNT && !exchange_is_uncached(c); c++) {
        void *blocks[BLOCKS];
        for (unsigned i = 0; i < BLOCKS; i++) {
            blocks[i] = hak_alloc(hak_classes[c].block_size);
            *(volatile char *)blocks[i] = 1;
        }
        for (unsigned i = 0; i < BLOCKS; i++) hak_free(blocks[i]);
        hak_free(hak_alloc(hak_classes[c].block_size));
    }
}

static void sleep_and_work(void *argument, unsigned index) {
    struct sleeper *sleeper = (struct sleeper *)argument;
    (void)index;
    for (unsigned round = 0; round < ROUNDS; round++) {
        work();
        sleeper->record = hak_self;
        pthread_barrier_wait(&sleeper->turn);
        pthread_barrier_wait(&sleeper->turn);
    }
}

/* Calls `look` whenever the thread waits. */
static void while_it_sleeps(void (*look)(const struct sleeper *sleeper)) {
    struct sleeper sleeper;
    struct threads threads;
    pthread_barrier_init(&sleeper.turn, NULL, 2);
    threads_start(&threads, 1, sleep_and_work, &sleeper);
    for (unsigned round = 0; round < ROUNDS; round++) {
        pthread_barrier_wait(&sleeper.turn);
        look(&sleeper);
        CENSUS_EXPECT_CONSISTENT();
        pthread_barrier_wait(&sleeper.turn);
    }
    threads_join(&threads);
    pthread_barrier_destroy(&sleeper.turn);
    CENSUS_EXPECT_CONSISTENT();
}

static void expect_taken_by_trim(const struct sleeper *sleeper) {
    (void)sleeper;
    HAK_EXPECT_GT(slabs_owned(), 0);
    HAK_EXPECT_GT(hak_trim(), 0);
    HAK_EXPECT_EQ(slabs_owned(), 0);
}

HAK_TEST_ISOLATED(Idle, TrimTakesTheSlabsOfOtherThreads, "HAKMEM_PURGE_DELAY_MS=-1") {
    while_it_sleeps(expect_taken_by_trim);
}

static void look_at(uint64_t idle_until_ms) {
    const struct decay_pass pass = {.freed_until_ms = idle_until_ms};
    hak_idle_take_slabs(&pass);
}

/* The first look notes where the thread stands, however old the pass; a later one takes. */
static void expect_taken_once_idle(const struct sleeper *sleeper) {
    const uint64_t owned = slabs_owned(), before = hak_os_clock_ms();
    is_looking = true;
    look_at(before - 1);
    HAK_EXPECT_EQ(slabs_owned(), owned);
    HAK_EXPECT(hak_idle_is_pending());
    HAK_EXPECT_GE(sleeper->record->idle_since_ms, before);
    look_at(sleeper->record->idle_since_ms - 1);
    HAK_EXPECT_EQ(slabs_owned(), owned);
    look_at(DECAY_ALL_NEW); /* too much waits: threads that work keep their slabs */
    HAK_EXPECT_EQ(slabs_owned(), owned);
    look_at(sleeper->record->idle_since_ms);
    HAK_EXPECT_EQ(slabs_owned(), 0);
    HAK_EXPECT(!hak_idle_is_pending());
    is_looking = false;
}

HAK_TEST_ISOLATED(Idle, SlabsAreTakenAfterTheDecayTime, "HAKMEM_PURGE_DELAY_MS=-1") {
    while_it_sleeps(expect_taken_once_idle);
}

static void expect_held_class_left(const struct sleeper *sleeper) {
    const unsigned c = 4;
    exchange_hold(sleeper->record, c);
    look_at(DECAY_EVERYTHING);
    HAK_EXPECT_EQ(slabs_owned(), 1 + (sleeper->record->classes[c].active[1] != NULL));
    HAK_EXPECT(sleeper->record->classes[c].active[0] != NULL);
    exchange_let_go(sleeper->record, c);
}

HAK_TEST_ISOLATED(Idle, ClassThatItsOwnerHoldsIsLeft, "HAKMEM_PURGE_DELAY_MS=-1") {
    while_it_sleeps(expect_held_class_left);
}

static void work_and_end(void *unused, unsigned index) {
    (void)unused;
    (void)index;
    work();
}

/* Else a thread of the allocator's own would wait for it. */
HAK_TEST_ISOLATED(Idle, NobodyWaitsForThreadsThatHaveEnded, "HAKMEM_PURGE_DELAY_MS=-1") {
    work();
    threads_run(4, work_and_end, NULL);
    look_at(hak_os_clock_ms() - 1);
    HAK_EXPECT(!hak_idle_is_pending());
}

/* Threads that work all the time lose their slabs again and again. */
struct robbed {
    bool done; /* atomic */
};

static void work_on(void *argument, unsigned index) {
    struct robbed *robbed = (struct robbed *)argument;
    if (index == 0) {
        for (unsigned i = 0; i < HAK_TEST_SCALE(400); i++) look_at(DECAY_EVERYTHING);
        __atomic_store_n(&robbed->done, true, __ATOMIC_RELEASE);
    }
    do {
        work();
    } while (!__atomic_load_n(&robbed->done, __ATOMIC_ACQUIRE));
}

HAK_TEST(Idle, ThreadsThatWorkLoseNothing) {
    struct robbed robbed = {false};
    const uint64_t live = census_live_blocks();
    threads_run(4, work_on, &robbed);
    HAK_EXPECT_EQ(census_live_blocks(), live);
    CENSUS_EXPECT_CONSISTENT();
}
