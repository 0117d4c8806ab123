/* SPDX-License-Identifier: MIT */
/* Where there is room for some of the threads only, statistics show those that began last, the youngest first. */
#include <pthread.h>

#include "hakmem/hakmem.h"
#include "hakmem/observe/read.h"
#include "tests/harness/harness.h"

#define THREADS 6u
#define ROOM 4u

static pthread_barrier_t has_begun, may_end;
static uint64_t numbers[THREADS];

static void *allocate_and_wait(void *place) {
    struct hak_owner_info info;
    void *p = hak_alloc(16);
    HAK_EXPECT(hak_owner(p, &info));
    *(uint64_t *)place = info.thread;
    pthread_barrier_wait(&has_begun);
    pthread_barrier_wait(&may_end);
    hak_free(p);
    return NULL;
}

static void expect_room(size_t room) {
    static struct stats_reading reading;
    struct hak_thread_stats threads[ROOM + 1] = {{0}};
    uint64_t begun[ROOM + 1] = {0};
    reading = (struct stats_reading){.threads = threads, .begun = begun, .thread_capacity = room};
    hak_stats_read(&reading);
    HAK_EXPECT_EQ(reading.stats.threads, THREADS + 1);
    HAK_EXPECT_EQ(reading.thread_count, room);
    for (size_t i = 0; i < room; i++) {
        HAK_EXPECT_EQ(threads[i].number, numbers[THREADS - 1 - i]);
        HAK_EXPECT(i == 0 || begun[i] < begun[i - 1]);
    }
    HAK_EXPECT(threads[room].number == 0 && begun[room] == 0);
    /* Another reading into the same place adds nothing to it. */
    const uint64_t live_blocks = reading.stats.tiny.live_blocks;
    HAK_EXPECT_GE(live_blocks, THREADS);
    hak_stats_read(&reading);
    HAK_EXPECT_EQ(reading.stats.tiny.live_blocks, live_blocks);
    HAK_EXPECT_EQ(reading.thread_count, room);
}

HAK_TEST_ISOLATED(ReadThreads, TheYoungestAreShownFirst, "") {
    pthread_t threads[THREADS];
    hak_free(hak_alloc(16)); /* this one is the oldest */
    HAK_ASSERT_TRUE(pthread_barrier_init(&has_begun, NULL, 2) == 0);
    HAK_ASSERT_TRUE(pthread_barrier_init(&may_end, NULL, THREADS + 1) == 0);
    for (unsigned i = 0; i < THREADS; i++) {
        HAK_ASSERT_TRUE(pthread_create(&threads[i], NULL, allocate_and_wait, &numbers[i]) == 0);
        pthread_barrier_wait(&has_begun);
    }
    for (size_t room = 0; room <= ROOM; room++) expect_room(room);
    pthread_barrier_wait(&may_end);
    for (unsigned i = 0; i < THREADS; i++) HAK_EXPECT_EQ(pthread_join(threads[i], NULL), 0);
}
