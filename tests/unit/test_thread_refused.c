/* SPDX-License-Identifier: MIT */
/* A thread whose destructor the C library has no memory for: it is served without a record, which would never be taken back. */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "hakmem/hakmem.h"
#include "hakmem/magazine/record.h"
#include "hakmem/sample/profile.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/threads.h"

#define SIZE 64
#define LARGE 500000

static _Thread_local bool is_refused;

int __real_pthread_setspecific(pthread_key_t key, const void *value);
int __wrap_pthread_setspecific(pthread_key_t key, const void *value);
int __wrap_pthread_setspecific(pthread_key_t key, const void *value) {
    return is_refused ? ENOMEM : __real_pthread_setspecific(key, value);
}

static void *block;

static void allocate_refused(void *unused, unsigned index) {
    (void)unused, (void)index;
    is_refused = true;
    errno = EDOM;
    block = hak_alloc(SIZE);
    HAK_ASSERT_TRUE(block != NULL);
    HAK_EXPECT_EQ(errno, EDOM);
    HAK_EXPECT_PTR_EQ((void *)hak_self, NULL);
    memset(block, 1, SIZE);
    hak_free(hak_alloc(SIZE));
    HAK_EXPECT_PTR_EQ((void *)hak_self, NULL);
}

static void allocate_served(void *record, unsigned index) {
    (void)index;
    hak_free(hak_alloc(SIZE));
    *(void **)record = hak_self;
}

HAK_TEST(ThreadRefused, IsServedWithoutARecordWhichTheNextThreadHas) {
    void *first = NULL, *next = NULL;
    hak_free(hak_alloc(SIZE));
    threads_run(1, allocate_served, &first);
    const struct hak_stats before = census_all();
    const uint64_t live = census_live_blocks();
    threads_run(1, allocate_refused, NULL);
    HAK_EXPECT_EQ(census_all().threads, before.threads);
    HAK_EXPECT_EQ(census_live_blocks(), live + 1);
    threads_run(1, allocate_served, &next);
    HAK_EXPECT_PTR_EQ(next, first);
    HAK_EXPECT_EQ(((unsigned char *)block)[SIZE - 1], 1);
    hak_free(block);
    HAK_EXPECT_EQ(census_live_blocks(), live);
    CENSUS_EXPECT_CONSISTENT();
}

static void *sampled[2]; /* one in a slab of samples, one in a slab of its own */

static void allocate_refused_and_sampled(void *unused, unsigned index) {
    (void)unused, (void)index;
    is_refused = true;
    sampled[0] = hak_alloc(SIZE);
    sampled[1] = hak_alloc(LARGE);
    HAK_EXPECT_PTR_EQ((void *)hak_self, NULL);
}

struct seen {
    const void *site;
    uint64_t live, threads;
};

static void see(const struct hak_profile_entry *entry, void *argument) {
    struct seen *seen = argument;
    if (entry->site == seen->site) {
        seen->live += entry->live;
        seen->threads += entry->thread;
    }
}

HAK_TEST(ThreadRefused, IsSampledAsNobody) {
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    threads_run(1, allocate_refused_and_sampled, NULL);
    for (unsigned i = 0; i < 2; i++) {
        struct seen seen = {.site = hak_profile_site_of(sampled[i])};
        HAK_ASSERT_TRUE(seen.site != NULL);
        (void)hak_profile_read(see, &seen);
        HAK_EXPECT_EQ(seen.live, 1);
        HAK_EXPECT_EQ(seen.threads, 0);
        hak_free(sampled[i]);
        seen.live = 0;
        (void)hak_profile_read(see, &seen);
        HAK_EXPECT_EQ(seen.live, 0);
    }
    hak_profile_stop();
    CENSUS_EXPECT_CONSISTENT();
}
