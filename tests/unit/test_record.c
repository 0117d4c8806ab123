/* SPDX-License-Identifier: MIT */
/* What a thread's record keeps resident: while its thread is idle, when the thread said so, and after its end. */
#include <pthread.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hakmem/hakmem.h"
#include "hakmem/magazine/exchange.h"
#include "hakmem/magazine/record_list.h"
#include "hakmem/magazine/thread.h"
#include "hakmem/os/os.h"
#include "hakmem/sample/profile.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/process.h"
#include "tests/harness/threads.h"

#define KIB ((size_t)1 << 10)

/* The part of a record that outlasts its thread, bytes. */
static size_t head_bytes(void) { return offsetof(struct hak_thread, check_stamps); }

static size_t resident_bytes(const struct hak_thread *record) {
    unsigned char pages[256];
    const size_t page = hak_os_page_size(), count = hak_record_bytes() / page;
    size_t resident = 0;
    HAK_EXPECT(count <= sizeof pages);
    HAK_EXPECT_EQ(hak_os_resident((void *)(uintptr_t)record, hak_record_bytes(), pages), 0);
    for (size_t i = 0; i < count; i++) resident += pages[i] & 1u ? page : 0;
    return resident;
}

/* Uses so many classes, spread over all that stay in magazines: 8 blocks of each, made and dropped some times. */
static void use_classes(unsigned count) {
    unsigned last = HAK_CLASS_COUNT - 1;
    while (exchange_is_uncached(last)) last--;
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned k = 0; k < count; k++) {
            void *blocks[8];
            const size_t size = hak_classes[1 + k * (last - 1) / count].block_size;
            for (unsigned i = 0; i < 8; i++) blocks[i] = hak_alloc(size);
            for (unsigned i = 0; i < 8; i++) hak_free(blocks[i]);
        }
    }
}

static void use_four(void *resident, unsigned index) {
    (void)index;
    use_classes(4);
    *(size_t *)resident = resident_bytes(hak_self);
}

static void use_forty(void *resident, unsigned index) {
    (void)index;
    use_classes(40);
    *(size_t *)resident = resident_bytes(hak_self);
}

/* Magazines need no page of their own each: four of them share one, or eight where there is little room in them. In a
 * process of its own, or the record of an ended thread, used by more classes, is taken. */
HAK_TEST_ISOLATED(Record, IdleThreadKeepsPagesOfTheClassesThatItUsed, "") {
    size_t resident = 0;
    if (!HAK_P3_SENTINELS || hak_os_page_size() != 4 * KIB) HAK_SKIP("every class has magazines, or pages are large");
    hak_free(hak_alloc(1)); /* or the first thread takes the record of a thread of the harness */
    threads_run(1, use_four, &resident);
    printf("four sizes: %zu KiB\n", resident / KIB);
    HAK_EXPECT_LE(resident, 24 * KIB);
    HAK_EXPECT_GE(resident, 8 * KIB);
    hak_trim();
    threads_run(1, use_forty, &resident);
    printf("forty sizes: %zu KiB\n", resident / KIB);
    HAK_EXPECT_LE(resident, 64 * KIB);
    HAK_EXPECT_GE(resident, head_bytes() + 40 * KIB);
}

struct ended {
    struct hak_thread *record;
    uint32_t number;
};

static void end_a_record(void *ended, unsigned index) {
    (void)index;
    use_classes(40);
    ((struct ended *)ended)->record = hak_self;
    ((struct ended *)ended)->number = hak_self->number;
}

static void expect_same_record(void *ended, unsigned index) {
    (void)index;
    use_classes(40);
    HAK_EXPECT_PTR_EQ(hak_self, ((struct ended *)ended)->record);
    HAK_EXPECT_EQ(hak_self->number, ((struct ended *)ended)->number);
}

static size_t rounded_head_bytes(void) {
    return (head_bytes() + hak_os_page_size() - 1) / hak_os_page_size() * hak_os_page_size();
}

HAK_TEST_ISOLATED(Record, TrimTakesThePagesOfAnEndedThread, "HAKMEM_PURGE_DELAY_MS=-1") {
    struct ended ended = {NULL, 0};
    hak_free(hak_alloc(1));
    threads_run(1, end_a_record, &ended);
    HAK_EXPECT_GT(resident_bytes(ended.record), rounded_head_bytes() + 32 * KIB);
    HAK_EXPECT_GE(record_unpurged_bytes(), 32 * KIB);
    const uint64_t allocations = census_allocations(), frees = census_frees();
    HAK_EXPECT_GE(hak_trim(), 32 * KIB);
    HAK_EXPECT_EQ(census_allocations(), allocations);
    HAK_EXPECT_EQ(census_frees(), frees);
    HAK_EXPECT_LE(resident_bytes(ended.record), rounded_head_bytes());
    HAK_EXPECT_EQ(record_unpurged_bytes(), 0);
    threads_run(1, expect_same_record, &ended);
    CENSUS_EXPECT_CONSISTENT();
}

/* A pass takes what ended early enough and leaves the rest. */
HAK_TEST_ISOLATED(Record, PagesOfAnEndedThreadDecay, "HAKMEM_PURGE_DELAY_MS=-1") {
    struct ended ended = {NULL, 0};
    hak_free(hak_alloc(1));
    threads_run(1, end_a_record, &ended);
    struct decay_pass pass = {.freed_until_ms = ended.record->ended_ms - 1, .left = SIZE_MAX};
    HAK_EXPECT(hak_thread_purge_piece(&pass));
    HAK_EXPECT_EQ(pass.purged, 0);
    HAK_EXPECT_GT(resident_bytes(ended.record), rounded_head_bytes());
    pass.freed_until_ms++;
    HAK_EXPECT(hak_thread_purge_piece(&pass));
    HAK_EXPECT_GT(pass.purged, 0);
    HAK_EXPECT_LE(resident_bytes(ended.record), rounded_head_bytes());
}

/* Else a pass would not end where threads end as fast as it returns their pages. */
HAK_TEST_ISOLATED(Record, PagesOfAThreadThatEndsDuringAPassStay, "HAKMEM_PURGE_DELAY_MS=-1") {
    struct ended ended = {NULL, 0};
    hak_free(hak_alloc(1));
    threads_run(1, end_a_record, &ended);
    struct decay_pass pass = {
        .freed_until_ms = DECAY_EVERYTHING, .left = SIZE_MAX, .begun_ms = ended.record->ended_ms - 1};
    HAK_EXPECT(hak_thread_purge_piece(&pass));
    HAK_EXPECT_EQ(pass.purged, 0);
    pass = (struct decay_pass){.freed_until_ms = DECAY_EVERYTHING, .left = SIZE_MAX};
    HAK_EXPECT(hak_thread_purge_piece(&pass));
    HAK_EXPECT_GT(pass.purged, 0);
}

/* More records than one hold of the lock takes. */
static void end_together(void *barrier, unsigned index) {
    (void)index;
    use_classes(4);
    pthread_barrier_wait((pthread_barrier_t *)barrier);
}

HAK_TEST_ISOLATED(Record, EveryEndedThreadsPagesDecay, "HAKMEM_PURGE_DELAY_MS=-1") {
    pthread_barrier_t all_live;
    pthread_barrier_init(&all_live, NULL, THREADS_MAX);
    hak_free(hak_alloc(1));
    threads_run(THREADS_MAX, end_together, &all_live);
    pthread_barrier_destroy(&all_live);
    const size_t waiting = record_unpurged_bytes();
    struct decay_pass pass = {.freed_until_ms = DECAY_EVERYTHING};
    unsigned pieces = 0;
    do {
        pass.left = 1; /* one batch */
        pieces++;
    } while (!hak_thread_purge_piece(&pass));
    HAK_EXPECT_EQ(pieces, THREADS_MAX / 32 + 1); /* the last finds none */
    HAK_EXPECT_EQ(record_unpurged_bytes(), 0);
    HAK_EXPECT_EQ(pass.purged, waiting);
}

static void say_idle(void *unused, unsigned index) {
    (void)unused;
    (void)index;
    void *const live = hak_alloc(48);
    use_classes(40);
    hak_thread_idle();
    struct hak_thread_stats threads[8];
    const size_t count = hak_stats_get_threads(threads, 8);
    for (size_t i = 0; i < count && i < 8; i++) {
        if (threads[i].number == hak_self->number) HAK_EXPECT_EQ(threads[i].magazine_bytes, 0);
    }
    HAK_EXPECT_LE(resident_bytes(hak_self), HAK_P3_SENTINELS ? rounded_head_bytes() + 24 * KIB : SIZE_MAX);
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) HAK_EXPECT(hak_self->classes[c].active[0] == NULL);
    use_classes(40);
    hak_free(live);
    hak_thread_idle();
    hak_thread_idle();
}

HAK_TEST_ISOLATED(Record, IdleThreadThatSaysSoKeepsHardlyAnything, "") {
    hak_thread_idle(); /* without a record */
    hak_free(hak_alloc(1));
    threads_run(1, say_idle, NULL);
    CENSUS_EXPECT_CONSISTENT();
}

/* ---- What the next thread of a record finds ---- */

/* As if its last thread had left all of it in the middle of something. */
static void soil(struct hak_thread *record) {
    static struct slab *const nowhere = (struct slab *)16;
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        struct hak_thread_class *const own = &record->classes[c];
        own->active[0] = own->active[1] = nowhere;
        own->loaded_level = own->returned_level = own->counted_from = 0x7777;
        own->stashed = own->is_used = own->batch = own->recent_exchanges = own->overflows = own->checks = 7;
        own->loaded_zeroed = true;
        record->samples[c] = (struct hak_thread_sample){.parked = nowhere, .epoch = 7};
    }
    record->loaded_above_tiny = record->grown = 7;
}

static void expect_clean(const struct hak_thread *record) {
    static const struct slab *const none[2];
    for (unsigned c = 1; c < HAK_CLASS_COUNT; c++) {
        const struct hak_thread_class *const own = &record->classes[c];
        HAK_EXPECT_EQ(memcmp(own->active, none, sizeof none), 0);
        HAK_EXPECT_EQ(own->loaded_level, 0);
        HAK_EXPECT_EQ(own->returned_level, 0);
        HAK_EXPECT_EQ(own->stashed, 0);
        HAK_EXPECT_EQ(own->is_used, 0);
        HAK_EXPECT_EQ(own->batch, 0);
        HAK_EXPECT_EQ(own->recent_exchanges, 0);
        HAK_EXPECT_EQ(own->overflows, 0);
        HAK_EXPECT_EQ(own->checks, 0);
        HAK_EXPECT_EQ(own->counted_from, (uint16_t)record->exchanges);
        HAK_EXPECT(!own->loaded_zeroed);
        if (sampling_was_on()) {
            HAK_EXPECT_PTR_EQ(record->samples[c].parked, NULL);
            HAK_EXPECT_EQ(record->samples[c].epoch, 0);
        }
    }
    HAK_EXPECT_EQ(record->loaded_above_tiny, 0);
    HAK_EXPECT_EQ(record->grown, 0);
}

static void begin_in_soil(void *record, unsigned index) {
    (void)index;
    soil(record);
    HAK_EXPECT_PTR_EQ(hak_thread_begin(), record);
    expect_clean(record);
}

HAK_TEST_ISOLATED(Record, NothingOfTheLastThreadIsLeft, "HAKMEM_PURGE_DELAY_MS=-1") {
    struct ended ended = {NULL, 0};
    hak_free(hak_alloc(1));
    threads_run(1, end_a_record, &ended);
    threads_run(1, begin_in_soil, ended.record);
    if (HAK_GUARD_FULL) return; /* it has no profile */
    HAK_ASSERT_TRUE(hak_profile_start((size_t)1 << 40) == 0);
    threads_run(1, begin_in_soil, ended.record);
    hak_profile_stop();
}

/* ---- In the child of a fork, which does not have the thread ---- */

static struct {
    pthread_barrier_t turn;
    struct hak_thread *record, *ended; /* of the thread, and one that nobody has */
} other;

static void use_and_wait(void *unused, unsigned index) {
    (void)unused;
    (void)index;
    use_classes(4);
    other.record = hak_self;
    pthread_barrier_wait(&other.turn);
    pthread_barrier_wait(&other.turn);
}

static void note_record(void *record, unsigned index) {
    (void)index;
    hak_free(hak_alloc(1));
    *(struct hak_thread **)record = hak_self;
}

/* A record whose magazines are whole is flushed and serves the next thread; one that was in the middle of an exchange serves nobody. */
static void expect_retired(bool was_whole) {
    struct hak_thread *next = NULL;
    HAK_EXPECT_EQ(other.record->sequence % 2, 0);
    HAK_EXPECT_EQ(other.record->tops, 0);
    HAK_EXPECT_EQ(other.ended->tops, 0); /* as before */
    HAK_EXPECT(other.record->link != NULL);
    HAK_EXPECT_EQ(other.record->link == &other.record->next, !was_whole);
    HAK_EXPECT_EQ(census_all().threads, 1);
    for (unsigned c = 1; was_whole && c < HAK_CLASS_COUNT; c++) {
        HAK_EXPECT(other.record->classes[c].active[0] == NULL);
        if (HAK_P3_SENTINELS) HAK_EXPECT_EQ(other.record->classes[c].unused_slots, hak_classes[c].magazine);
    }
    if (was_whole) CENSUS_EXPECT_CONSISTENT();
    threads_run(1, note_record, &next);
    HAK_EXPECT_EQ(next == other.record, was_whole);
    threads_run(1, note_record, &next);
    HAK_EXPECT_EQ(next == other.record, was_whole);
}

HAK_TEST_ISOLATED(Record, OfAThreadThatAForkLeftBehindServesTheNextIfItIsWhole, "HAKMEM_PURGE_DELAY_MS=-1") {
    struct threads threads;
    if (HAK_THREAD_SANITIZER || getenv(PROCESS_EMULATOR_VARIABLE) != NULL) {
        HAK_SKIP("ThreadSanitizer and qemu-user end a child of several threads that begins one");
    }
    hak_free(hak_alloc(1));
    pthread_barrier_init(&other.turn, NULL, 2);
    threads_start(&threads, 1, use_and_wait, NULL);
    pthread_barrier_wait(&other.turn);
    threads_run(1, note_record, &other.ended);
    HAK_EXPECT_EXIT_OK(expect_retired(true));
    /* As if it had been in an exchange, which is only seen by this. */
    hak_store_relaxed(&other.record->sequence, other.record->sequence + 1);
    HAK_EXPECT_EXIT_OK(expect_retired(false));
    hak_store_relaxed(&other.record->sequence, other.record->sequence + 1);
    pthread_barrier_wait(&other.turn);
    threads_join(&threads);
    pthread_barrier_destroy(&other.turn);
    CENSUS_EXPECT_CONSISTENT();
}

/* In a child that no handler of fork saw, which has interrupted the holder of the lock: others are retired when it lets go, and nothing is
 * flushed. */
static int retire_late(void) {
    (void)hak_thread_list_acquire();
    hak_thread_fork_child(false);
    if (other.record->link != NULL || other.record->tops != RECORD_HAS_TOPS) return 1;
    if (hak_self->tid != (uint32_t)syscall(SYS_gettid)) return 2;
    hak_thread_list_release();
    return other.record->link == &other.record->next && other.record->tops == 0 ? 0 : 3;
}

HAK_TEST_ISOLATED(Record, OfAThreadIsRetiredOnceTheInterruptedHolderLetsGo, "HAKMEM_PURGE_DELAY_MS=-1") {
    struct threads threads;
    int status = 1;
    if (HAK_THREAD_SANITIZER || getenv(PROCESS_EMULATOR_VARIABLE) != NULL) {
        HAK_SKIP("ThreadSanitizer and qemu-user know no such child of several threads");
    }
    hak_free(hak_alloc(1));
    pthread_barrier_init(&other.turn, NULL, 2);
    threads_start(&threads, 1, use_and_wait, NULL);
    pthread_barrier_wait(&other.turn);
    const pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) _exit(retire_late());
    HAK_EXPECT(waitpid(child, &status, 0) == child);
    HAK_EXPECT_EQ(status, 0);
    pthread_barrier_wait(&other.turn);
    threads_join(&threads);
    pthread_barrier_destroy(&other.turn);
}
