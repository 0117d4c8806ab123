/* SPDX-License-Identifier: MIT */
/* A poll allocates: what a slow path says of the block that it took is still so. */
#include <pthread.h>
#include <string.h>

#include "hakmem/hakmem.h"
#include "hakmem/process/purge.h"
#include "hakmem/process/purge_later.h"
#include "tests/harness/harness.h"
#include "tests/harness/pattern.h"

enum { BLOCKS_MAX = 4096, SLAB_BYTES = 65536 };

static size_t block_bytes;
static unsigned refills; /* polls that allocated in the middle of a slow path */

/* More than a slab's worth, so that the calling thread's magazine holds blocks of a new one afterwards, which read zero. They
 * are never freed: a slab that was used before would not read zero. */
static void refill(void) {
    for (unsigned i = 0; i < 2 * SLAB_BYTES / block_bytes; i++) HAK_ASSERT_TRUE(hak_alloc(block_bytes) != NULL);
    refills++;
}

/* A calloc that gets a block that was written to, while its poll refills the magazine from a slab that reads zero. */
static void calloc_meets_a_refill(size_t size, unsigned used) {
    static void *blocks[BLOCKS_MAX];
    block_bytes = size;
    const unsigned count = (unsigned)(3 * SLAB_BYTES / size);
    HAK_ASSERT_TRUE(count <= BLOCKS_MAX && used < count);
    for (unsigned i = 0; i < count; i++) {
        blocks[i] = hak_alloc(size);
        HAK_ASSERT_TRUE(blocks[i] != NULL);
        memset(blocks[i], 0xAA, size);
    }
    for (unsigned i = 0; i < used; i++) hak_free(blocks[i]);
    hak_thread_flush();
    const unsigned before = refills;
    hak_purge_start_later(refill, PURGE_START_AT_ONCE);
    unsigned char *p = hak_calloc(1, size);
    HAK_EXPECT_EQ(refills, before + 1);
    HAK_EXPECT(pattern_all_zero(p, size));
    hak_free(p);
}

static void *wait_for_the_end(void *barrier) {
    pthread_barrier_wait(barrier);
    return NULL;
}

HAK_TEST(Reentry, CallocIsZeroWhereItsPollAllocates) {
    pthread_barrier_t end;
    pthread_t other;
    /* A process of several threads, since a poll does more there. */
    HAK_ASSERT_TRUE(pthread_barrier_init(&end, NULL, 2) == 0);
    HAK_ASSERT_TRUE(pthread_create(&other, NULL, wait_for_the_end, &end) == 0);
    for (size_t size = 64; size <= 2048; size *= 2) {
        for (unsigned used = 8; used <= 24; used += 8) calloc_meets_a_refill(size, used);
    }
    pthread_barrier_wait(&end);
    pthread_join(other, NULL);
    pthread_barrier_destroy(&end);
}
