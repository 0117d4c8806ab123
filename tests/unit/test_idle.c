/* SPDX-License-Identifier: MIT */
/* Slabs of threads that are idle are taken from them, and the threads go on as if nothing had happened. */
#include <pthread.h>
#include <stdio.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/lock.h"
#include "hakmem/hakmem.h"
#include "hakmem/magazine/exchange.h"
#include "hakmem/magazine/exchange_hold.h"
#include "hakmem/magazine/idle.h"
#include "hakmem/magazine/thread.h"
#include "hakmem/os/os.h"
#include "hakmem/process/purge.h"
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
static void (*after_detach)(unsigned class_index);

void __real_hak_slab_detach(struct slab *slab, unsigned class_index);
void __wrap_hak_slab_detach(struct slab *slab, unsigned class_index);

/* Slabs are detached when their class is let go: by then the owner must not free into them as its own. */
void __wrap_hak_slab_detach(struct slab *slab, unsigned class_index) {
    if (is_looking) HAK_EXPECT_EQ(hak_load_relaxed(&slab->owner), SLAB_NOBODY);
    __real_hak_slab_detach(slab, class_index);
    if (after_detach != NULL) after_detach(class_index);
}

static uint64_t slabs_owned(void) {
    const struct hak_stats stats = census_all();
    return stats.tiny.slabs_owned + stats.l2.slabs_owned + stats.l25.slabs_owned;
}

/* Leaves active slabs of many classes, in which nearly all is free. Large blocks come first: a thread that makes many slabs gives up
 * those of the classes that it did not use meanwhile. */
static void work(void) {
    for (unsigned c = HAK_CLASS_COUNT - 1; c > 0; c--) {
        if (exchange_is_uncached(c)) continue;
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
    struct decay_pass pass = {.freed_until_ms = idle_until_ms};
    while (!hak_idle_take_slabs(&pass)) continue;
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
    hak_idle_note_skipped();
    HAK_EXPECT(hak_idle_is_pending());
    look_at(sleeper->record->idle_since_ms - 1); /* it has nothing left to wait for, however long it is idle */
    HAK_EXPECT(!hak_idle_is_pending());
    is_looking = false;
}

HAK_TEST_ISOLATED(Idle, SlabsAreTakenAfterTheDecayTime, "HAKMEM_PURGE_DELAY_MS=-1") {
    while_it_sleeps(expect_taken_once_idle);
}

static void begin_and_wait(void *argument, unsigned index) {
    struct sleeper *sleeper = (struct sleeper *)argument;
    (void)index;
    sleeper->record = hak_thread_begin();
    pthread_barrier_wait(&sleeper->turn);
    pthread_barrier_wait(&sleeper->turn);
}

/* A later thread, which a pass comes to first, has no slab: that is not the end of the pass. */
static void expect_taken_behind_one_without(const struct sleeper *sleeper) {
    struct sleeper bare;
    struct threads threads;
    pthread_barrier_init(&bare.turn, NULL, 2);
    threads_start(&threads, 1, begin_and_wait, &bare);
    pthread_barrier_wait(&bare.turn);
    HAK_EXPECT(bare.record != sleeper->record);
    HAK_EXPECT_GT(slabs_owned(), 0);
    look_at(DECAY_EVERYTHING);
    HAK_EXPECT_EQ(slabs_owned(), 0);
    pthread_barrier_wait(&bare.turn);
    threads_join(&threads);
    pthread_barrier_destroy(&bare.turn);
}

HAK_TEST_ISOLATED(Idle, APassGoesOnBehindAThreadWithoutSlabs, "HAKMEM_PURGE_DELAY_MS=-1") {
    while_it_sleeps(expect_taken_behind_one_without);
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

/* ---- Many ---- */

static struct sleepers {
    pthread_barrier_t turn;
    unsigned count;
    struct hak_thread *records[THREADS_MAX];
} sleepers;

/* At least every second of them leaves a slab that is not used up. */
static unsigned cached_classes(void) {
    unsigned c = 1;
    while (c < HAK_CLASS_COUNT && !exchange_is_uncached(c)) c++;
    return c - 1;
}

static void work_and_sleep(void *unused, unsigned index) {
    (void)unused;
    for (unsigned c = 1; c <= cached_classes(); c++) hak_free(hak_alloc(hak_classes[c].block_size));
    sleepers.records[index] = hak_self;
    pthread_barrier_wait(&sleepers.turn);
    pthread_barrier_wait(&sleepers.turn);
}

/* hak_trim while they all wait. */
static void trim_beside_sleepers(void (*after)(unsigned class_index)) {
    struct threads threads;
    sleepers.count = 10 * 64 / cached_classes() + 1; /* more slabs than four holds may take */
    HAK_ASSERT_TRUE(sleepers.count <= THREADS_MAX);
    pthread_barrier_init(&sleepers.turn, NULL, sleepers.count + 1);
    threads_start(&threads, sleepers.count, work_and_sleep, NULL);
    pthread_barrier_wait(&sleepers.turn);
    HAK_EXPECT_GE(slabs_owned(), 4 * 64);
    after_detach = after;
    hak_trim();
    after_detach = NULL;
    CENSUS_EXPECT_CONSISTENT();
    pthread_barrier_wait(&sleepers.turn);
    threads_join(&threads);
    pthread_barrier_destroy(&sleepers.turn);
    CENSUS_EXPECT_CONSISTENT();
}

static struct hak_lock *purge_lock;
static unsigned detached, in_hold, in_hold_most;

void __real_hak_lock_release_slow(struct hak_lock *lock);
void __wrap_hak_lock_release_slow(struct hak_lock *lock);

void __wrap_hak_lock_release_slow(struct hak_lock *lock) {
    if (lock == purge_lock) in_hold = 0;
    __real_hak_lock_release_slow(lock);
}

static void note_lock(struct hak_lock *lock, struct lock_fork *fork) {
    (void)fork;
    purge_lock = lock;
}

/* As if another thread waited for the lock: its release takes the way above. What a trim detaches of its own thread is not counted. */
static void count_in_hold(unsigned class_index) {
    (void)class_index;
    if ((hak_load_relaxed(&purge_lock->word) & ~LOCK_FLAGS) != lock_self()) return;
    hak_fetch_or_acq_rel(&purge_lock->word, LOCK_WAITERS);
    detached++;
    in_hold_most = ++in_hold > in_hold_most ? in_hold : in_hold_most;
}

HAK_TEST_ISOLATED(Idle, OneHoldOfThePurgeLockTakesFewSlabs, "HAKMEM_PURGE_DELAY_MS=-1") {
    hak_free(hak_alloc(1));
    hak_purge_fork_locks(note_lock, NULL);
    trim_beside_sleepers(count_in_hold);
    printf("%u slabs taken, %u in one hold at most\n", detached, in_hold_most);
    HAK_EXPECT_GE(detached, 4 * 64);
    HAK_EXPECT_LE(in_hold_most, 64);
}

/* All slabs that the sleepers can have at one time. */
static unsigned slabs_most(void) { return sleepers.count * 2 * cached_classes(); }

/* As if the sleepers worked: they have slabs of the class again, and made an exchange. Not without end, or a failure would hang. */
static void give_slabs_again(unsigned class_index) {
    if (++detached > 20 * slabs_most()) return;
    for (unsigned i = 0; i < sleepers.count; i++) {
        struct hak_thread *record = sleepers.records[i];
        struct hak_thread_class *own = &record->classes[class_index];
        hak_store_relaxed(&record->sequence, hak_load_relaxed(&record->sequence) + 2);
        if (own->active[0] == NULL) own->active[0] = hak_slab_create(class_index, record->number);
    }
}

HAK_TEST_ISOLATED(Idle, APassOverThreadsThatWorkEnds, "HAKMEM_PURGE_DELAY_MS=-1") {
    hak_free(hak_alloc(1));
    trim_beside_sleepers(give_slabs_again);
    HAK_EXPECT_GE(detached, 4 * 64);
    HAK_EXPECT_LE(detached, 2 * slabs_most()); /* once each, and once more to purge its pages */
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

static void let_go(void *holder, unsigned index) {
    (void)index;
    /* Release: pairs with the compare-exchange of the owner, which waits. */
    hak_store_release((uint8_t *)holder, (uint8_t)EXCHANGE_HOLDER_NONE);
}

/* What takes a thread's slabs away holds the class meanwhile: the owner waits for that, and never for itself. */
HAK_TEST(Idle, OwnerWaitsForWhoeverHoldsItsClass) {
    uint8_t holder = EXCHANGE_HOLDER_OTHER;
    struct threads threads;
    threads_start(&threads, 1, let_go, &holder);
    hak_exchange_hold_rest(&holder, EXCHANGE_HOLDER_OTHER);
    threads_join(&threads);
    HAK_EXPECT_EQ(holder, EXCHANGE_HOLDER_OWNER);
    hak_exchange_hold_rest(&holder, EXCHANGE_HOLDER_OWNER);
    HAK_EXPECT_EQ(holder, EXCHANGE_HOLDER_OWNER);
}
