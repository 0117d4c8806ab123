/* SPDX-License-Identifier: MIT */
/* Readers of all threads' records beside threads that begin and end: who waits for whom, what is read, and that each count is
 * there once. What happens in the middle of a reading happens there by count: the linker sends the functions below through this
 * file. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hakmem/base/atomic.h"
#include "hakmem/flags/flags.h"
#include "hakmem/hakmem.h"
#include "hakmem/magazine/exchange.h"
#include "hakmem/magazine/reading.h"
#include "hakmem/os/os.h"
#include "hakmem/region/region.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/system.h"
#include "tests/harness/threads.h"

#define THREADS 40
#define SIZE ((size_t)4000) /* of a class that nothing else here uses */

/* ---- Counting ---- */

typedef void (*region_visitor)(struct region *region, unsigned first, void *argument);

void __real_hak_region_for_each_span(region_visitor visit, void *argument);
void __wrap_hak_region_for_each_span(region_visitor visit, void *argument);
bool __real_hak_reading_add(struct hak_reading_moves *moves, struct hak_thread *thread,
                            struct reading_classes *classes);
bool __wrap_hak_reading_add(struct hak_reading_moves *moves, struct hak_thread *thread,
                            struct reading_classes *classes);
struct thread_class_totals __real_hak_reading_class(struct hak_thread *thread, unsigned class_index,
                                                    const struct reading_classes *classes, uint32_t *sleeps_left);
struct thread_class_totals __wrap_hak_reading_class(struct hak_thread *thread, unsigned class_index,
                                                    const struct reading_classes *classes, uint32_t *sleeps_left);
void __real_hak_os_sleep_ms(uint64_t duration_ms);
void __wrap_hak_os_sleep_ms(uint64_t duration_ms);

static void (*meanwhile)(void);           /* at the slabs */
static void (*at_record)(unsigned which); /* before the record of that number from the reading's first on is read */
static unsigned records_read, classes_read;
static uint32_t sleeps; /* atomic */

void __wrap_hak_region_for_each_span(region_visitor visit, void *argument) {
    __real_hak_region_for_each_span(visit, argument);
    if (meanwhile != NULL) meanwhile();
}

bool __wrap_hak_reading_add(struct hak_reading_moves *moves, struct hak_thread *thread,
                            struct reading_classes *classes) {
    if (at_record != NULL) at_record(records_read);
    records_read++;
    return __real_hak_reading_add(moves, thread, classes);
}

struct thread_class_totals __wrap_hak_reading_class(struct hak_thread *thread, unsigned class_index,
                                                    const struct reading_classes *classes, uint32_t *sleeps_left) {
    classes_read++;
    return __real_hak_reading_class(thread, class_index, classes, sleeps_left);
}

void __wrap_hak_os_sleep_ms(uint64_t duration_ms) {
    hak_fetch_add_relaxed(&sleeps, 1);
    __real_hak_os_sleep_ms(duration_ms);
}

static struct hak_stats read_now(void) {
    struct hak_stats stats;
    records_read = classes_read = 0;
    hak_stats_get(&stats);
    return stats;
}

/* A thread in the middle of an exchange is waited for as often as there are sleeps left, and not once more. */
HAK_TEST(Readers, SleepAsOftenAsTheyMay) {
    const struct reading_classes nothing = {0};
    hak_free(hak_alloc(SIZE));
    for (uint32_t may = 0; may <= 2; may++) {
        uint32_t left = may;
        const uint32_t before = hak_load_relaxed(&sleeps);
        exchange_enter(hak_self);
        (void)__real_hak_reading_class(hak_self, 1, &nothing, &left);
        exchange_leave(hak_self);
        HAK_EXPECT(hak_load_relaxed(&sleeps) - before == may && left == 0);
    }
}

static bool ignore(const struct hak_walk_block *block, void *argument) {
    (void)block;
    (void)argument;
    return true;
}

/* ---- Threads that begin and end when told ---- */

struct worker {
    pthread_t thread;
    pthread_barrier_t begun, end;
};

static void *kept[1000];    /* blocks that outlive their threads */
static uint32_t kept_count; /* atomic */

/* In each worker: one block that stays, and two that it frees, of three sizes. */
static void use(void) {
    kept[hak_fetch_add_relaxed(&kept_count, 1)] = hak_alloc(SIZE);
    hak_free(hak_alloc(100));
    hak_free(hak_alloc(20000));
}

static void *work(void *argument) {
    struct worker *worker = (struct worker *)argument;
    use();
    pthread_barrier_wait(&worker->begun);
    pthread_barrier_wait(&worker->end);
    return NULL;
}

static void worker_begin(struct worker *worker) {
    pthread_barrier_init(&worker->begun, NULL, 2);
    pthread_barrier_init(&worker->end, NULL, 2);
    HAK_EXPECT_EQ(pthread_create(&worker->thread, NULL, work, worker), 0);
    pthread_barrier_wait(&worker->begun);
}

static void worker_end(struct worker *worker) {
    pthread_barrier_wait(&worker->end);
    pthread_join(worker->thread, NULL);
    pthread_barrier_destroy(&worker->begun);
    pthread_barrier_destroy(&worker->end);
}

static void free_kept(void) {
    while (kept_count > 0) hak_free(kept[--kept_count]);
}

static struct worker workers[THREADS];

/* ---- What is read ---- */

/* Two passes, and of each thread the classes that it used. Classes of other threads, or of nobody, are not read. */
HAK_TEST_ISOLATED(Readers, ReadOfEachThreadWhatItUsed, "") {
    hak_free(hak_alloc(1));
    (void)read_now();
    const unsigned records = records_read, classes = classes_read;
    HAK_EXPECT_EQ(records, 2);
    for (unsigned i = 0; i < THREADS; i++) worker_begin(&workers[i]);
    const struct hak_stats stats = read_now();
    HAK_EXPECT_EQ(stats.threads, 1 + THREADS);
    HAK_EXPECT_EQ(records_read, records + 2 * THREADS);
    HAK_EXPECT_EQ(classes_read, classes + 3 * THREADS);
    for (unsigned i = 0; i < THREADS; i++) worker_end(&workers[i]);
    HAK_EXPECT_EQ(read_now().threads, 1);
    HAK_EXPECT_EQ(classes_read, classes + 3 * THREADS);
    free_kept();
}

static uint64_t live_before, frees_before;

static void expect_one_free_more(void) {
    HAK_EXPECT_EQ(census_live_blocks(), live_before - 1);
    if (census_all().exact) HAK_EXPECT_EQ(census_frees(), frees_before + 1);
    CENSUS_EXPECT_CONSISTENT();
}

static void free_one(void *argument, unsigned index) {
    (void)index;
    hak_free(argument);
    expect_one_free_more();
}

/* free puts a block into a magazine of a class that the thread never exchanged, and no slow path knows of it. */
HAK_TEST(Readers, FindWhatOnlyFreeKnowsOf) {
    void *p = hak_alloc(SIZE);
    live_before = census_live_blocks();
    frees_before = census_frees();
    threads_run(1, free_one, p);
    expect_one_free_more();
}

/* ---- Beside threads that begin and end ---- */

static struct worker one_more;
static uint32_t has_ended; /* atomic */
static unsigned times;

static void *begin_and_end(void *unused) {
    (void)unused;
    use();
    return NULL;
}

static bool is_over(void *unused) {
    (void)unused;
    /* Acquire: pairs with the release of the watcher. */
    return hak_load_acquire(&has_ended) != 0;
}

static void *watch_begin_and_end(void *unused) {
    pthread_t thread;
    HAK_EXPECT_EQ(pthread_create(&thread, NULL, begin_and_end, unused), 0);
    pthread_join(thread, NULL);
    worker_end(&one_more);
    hak_store_release(&has_ended, 1);
    return NULL;
}

/* The reader stops here until a thread has begun and ended, and another has ended. */
static void hold_until_others_came_and_went(void) {
    pthread_t thread;
    if (times++ > 0) return;
    HAK_EXPECT_EQ(pthread_create(&thread, NULL, watch_begin_and_end, NULL), 0);
    HAK_EXPECT(system_wait_until(is_over, NULL, 20));
    pthread_detach(thread);
}

static void hold_at_second_record(unsigned which) {
    if (which == 1) hold_until_others_came_and_went();
}

static void expect_nobody_waits(void (*read)(void), bool at_the_slabs) {
    worker_begin(&one_more);
    times = 0;
    hak_store_release(&has_ended, 0);
    if (at_the_slabs) meanwhile = hold_until_others_came_and_went;
    if (!at_the_slabs) at_record = hold_at_second_record;
    records_read = 0;
    hak_store_relaxed(&sleeps, 0);
    read();
    meanwhile = NULL;
    at_record = NULL;
    HAK_EXPECT_GE(times, 1);
    HAK_EXPECT_EQ(hak_load_relaxed(&sleeps), 0);
    free_kept();
    CENSUS_EXPECT_CONSISTENT();
}

static void get_statistics(void) { HAK_EXPECT(!read_now().quiet); }

static void walk(void) {
    struct hak_walk_result result;
    HAK_EXPECT_EQ(hak_walk(ignore, NULL, &result), 0);
    HAK_EXPECT_EQ(result.exact, HAK_GUARD_EXACT != 0);
}

static void write_json(void) { HAK_EXPECT_EQ(hak_stats_write(STDOUT_FILENO, HAK_STATS_JSON), 0); }

HAK_TEST_ISOLATED(Readers, KeepNoThreadFromBeginningOrEnding, "HAKMEM_PURGE_THREAD=0") {
    void (*const readers[])(void) = {get_statistics, walk, write_json};
    for (unsigned i = 0; i < 3; i++) {
        expect_nobody_waits(readers[i], true);
        expect_nobody_waits(readers[i], false);
    }
}

#define FEW 4u

static unsigned ends_at;

static void end_one(unsigned which) {
    if (which == ends_at) worker_end(&workers[0]);
}

static void end_one_and_begin_one(unsigned which) {
    if (which == ends_at) {
        worker_end(&workers[0]);
        worker_begin(&workers[0]);
    }
}

/* A thread ends in front of the n-th record that is read, for every n, with another in its record at once or not: what it counted
 * is there once, whether its record was read before, is read next or comes later. */
static void expect_counted_once(void (*what)(unsigned which), unsigned begins) {
    const unsigned class_index = census_class_of_size(SIZE);
    for (ends_at = 0; ends_at < 2 * (FEW + 1); ends_at++) {
        for (unsigned i = 0; i < FEW; i++) worker_begin(&workers[i]);
        const struct hak_class_stats before = census_class(class_index);
        records_read = 0;
        at_record = what;
        const struct hak_class_stats during = census_class(class_index);
        at_record = NULL;
        HAK_EXPECT_GE(during.allocations, before.allocations);
        HAK_EXPECT_LE(during.allocations, before.allocations + begins);
        HAK_EXPECT_EQ(during.frees, before.frees);
        for (unsigned i = 1 - begins; i < FEW; i++) worker_end(&workers[i]);
        HAK_EXPECT_EQ(census_class(class_index).allocations, before.allocations + begins);
        free_kept();
        CENSUS_EXPECT_CONSISTENT();
    }
}

HAK_TEST_ISOLATED(Readers, CountAThreadThatEndsMeanwhileOnce, "") {
    if (!HAK_P1_BATCHED_STATS) HAK_SKIP("counts are estimated");
    hak_free(hak_alloc(1));
    expect_counted_once(end_one, 0);
    expect_counted_once(end_one_and_begin_one, 1);
}

/* The end does wait where the reader is just following the thread's tops. */
static void *stop_reading(void *argument) {
    struct hak_thread *thread = (struct hak_thread *)argument;
    for (unsigned i = 0; i < 20000 && hak_load_relaxed(&sleeps) == 0; i++) __real_hak_os_sleep_ms(1);
    hak_fetch_add_acq_rel(&thread->tops, (uint32_t)-RECORD_READER);
    return NULL;
}

static void end_beside_a_reader(void *argument, unsigned index) {
    (void)index;
    use();
    hak_fetch_add_acq_rel(&hak_self->tops, RECORD_READER);
    HAK_EXPECT_EQ(pthread_create((pthread_t *)argument, NULL, stop_reading, hak_self), 0);
}

HAK_TEST_ISOLATED(Readers, AreWaitedForWhereTheyFollowTheTopsOfTheThreadThatEnds, "HAKMEM_PURGE_THREAD=0") {
    pthread_t reader;
    threads_run(1, end_beside_a_reader, &reader);
    pthread_join(reader, NULL);
    HAK_EXPECT_GE(sleeps, 1);
    free_kept();
}

static pthread_barrier_t stopped, read_twice;

static void stop_in_an_exchange(void *argument, unsigned index) {
    (void)argument;
    (void)index;
    use();
    exchange_enter(hak_self);
    pthread_barrier_wait(&stopped);
    pthread_barrier_wait(&read_twice);
    exchange_leave(hak_self);
}

/* A reader sleeps, so that a thread that lost its processor in an exchange gets it back, and not for ever. */
HAK_TEST_ISOLATED(Readers, GoOnWhereAThreadStandsInAnExchange, "HAKMEM_PURGE_THREAD=0") {
    struct threads threads;
    const uint64_t allocations = census_allocations();
    pthread_barrier_init(&stopped, NULL, 2);
    pthread_barrier_init(&read_twice, NULL, 2);
    threads_start(&threads, 1, stop_in_an_exchange, NULL);
    pthread_barrier_wait(&stopped);
    hak_store_relaxed(&sleeps, 0);
    const struct hak_stats stats = read_now();
    HAK_EXPECT_EQ(hak_load_relaxed(&sleeps), READING_SLEEPS);
    HAK_EXPECT(!stats.quiet);
    CENSUS_EXPECT_ALLOCATIONS(allocations, census_allocations(), 3);
    pthread_barrier_wait(&read_twice);
    threads_join(&threads);
    free_kept();
}

/* ---- Order ---- */

/* Of more threads than are written, those that began last, the youngest first, whoever had their records before. */
static char text[1 << 18];

static long next_tid(const char **at) {
    const char *found = strstr(*at, "\"tid\":");
    *at = found == NULL ? "" : found + 6;
    return found == NULL ? 0 : strtol(*at, NULL, 10);
}

static struct worker many[140];
static long tids[140];

static void *work_and_note(void *argument) {
    tids[(struct worker *)argument - many] = (long)hak_os_thread_id();
    return work(argument);
}

static void begin_noted(unsigned i) {
    struct worker *worker = &many[i];
    pthread_barrier_init(&worker->begun, NULL, 2);
    pthread_barrier_init(&worker->end, NULL, 2);
    HAK_EXPECT_EQ(pthread_create(&worker->thread, NULL, work_and_note, worker), 0);
    pthread_barrier_wait(&worker->begun);
}

HAK_TEST_ISOLATED(Readers, WriteTheThreadsThatBeganLast, "") {
    for (unsigned i = 0; i < THREADS; i++) worker_begin(&workers[i]);
    for (unsigned i = 0; i < THREADS; i++) worker_end(&workers[(i * 7) % THREADS]);
    for (unsigned i = 0; i < 140; i++) begin_noted(i);
    FILE *file = tmpfile();
    HAK_ASSERT_TRUE(file != NULL);
    HAK_EXPECT_EQ(hak_stats_write(fileno(file), HAK_STATS_JSON), 0);
    rewind(file);
    HAK_EXPECT_GT(fread(text, 1, sizeof text - 1, file), 0);
    fclose(file);
    const char *at = text;
    for (unsigned i = 0; i < 128; i++) HAK_EXPECT_EQ(next_tid(&at), tids[139 - i]);
    HAK_EXPECT_EQ(next_tid(&at), 0);
    for (unsigned i = 0; i < 140; i++) worker_end(&many[i]);
    free_kept();
}
