/* SPDX-License-Identifier: MIT */
/* The figures of hak_stats_get account for everything that is resident, in small heaps and in large ones, with one thread
 * and with a thousand (docs/design.md, "Memory back to the system"). */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "hakmem/hakmem.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/system.h"

#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)

#if defined(HAK_TEST_TSAN) || defined(HAK_TEST_ASAN)
#define SKIP_WITH_SANITIZER() HAK_SKIP("the sanitizer's memory is resident too")
#else
#define SKIP_WITH_SANITIZER() (void)0
#endif

/* The result is resident_before's; half a MiB is for the stack and for what the C library's own allocations touch. */
static void expect_accounted(size_t resident_before, size_t slack, const char *when) {
    struct hak_stats s = census_all();
    uint64_t bound = s.tiny.live_bytes + s.l2.live_bytes + s.l25.live_bytes + s.huge.live_bytes + s.magazine_bytes +
                     s.slab_free_bytes + s.metadata_bytes + s.decaying_bytes;
    const size_t now = system_resident_bytes();
    size_t resident = now > resident_before ? now - resident_before : 0;
    printf("%s: %.1f MiB are resident, %.1f MiB accounted for\n", when, (double)resident / (double)MIB,
           (double)bound / (double)MIB);
    if (resident > bound + MIB / 2 + slack)
        harness_fail(__FILE__, __LINE__, "%s: %zu bytes are resident, %llu accounted for", when, resident,
                     (unsigned long long)bound);
}

/* Blocks of all pools. They are linked by their first word, so that the test needs no memory of its own. */
struct heap {
    void **last;
    uint64_t allocated; /* bytes */
};

static const size_t sizes[] = {16, 48, 200, 512, 1024, 3000, 16384, 40000, 500000, (size_t)4 << 20};
#define SIZES (sizeof sizes / sizeof *sizes)

static void heap_fill(struct heap *heap, uint64_t bytes, bool touch) {
    for (unsigned i = 0; heap->allocated < bytes; i++) {
        /* As many bytes of each size. */
        for (size_t count = sizes[SIZES - 1] / sizes[i % SIZES]; count > 0; count--) {
            void **block = hak_alloc(sizes[i % SIZES]);
            HAK_ASSERT_TRUE(block != NULL);
            if (touch) memset(block, 1, sizes[i % SIZES]);
            *block = heap->last;
            heap->last = block;
            heap->allocated += sizes[i % SIZES];
        }
    }
}

/* Frees all but every keep_one_in-th block; 0 keeps none. */
static void heap_thin(struct heap *heap, unsigned keep_one_in) {
    void **block = heap->last;
    heap->last = NULL;
    for (unsigned i = 0; block != NULL; i++) {
        void **next = *block;
        if (keep_one_in != 0 && i % keep_one_in == 0) {
            *block = heap->last;
            heap->last = block;
        } else {
            hak_free(block);
        }
        block = next;
    }
}

static void expect_accounted_with(uint64_t bytes, bool touch) {
    struct heap heap = {0};
    const size_t before = system_resident_bytes();
    heap_fill(&heap, bytes, touch);
    expect_accounted(before, 0, "all live");
    heap_thin(&heap, 10);
    expect_accounted(before, 0, "one in ten live");
    hak_thread_flush();
    expect_accounted(before, 0, "flushed");
    hak_trim();
    expect_accounted(before, 0, "trimmed");
    heap_thin(&heap, 0);
    hak_trim();
    expect_accounted(before, 0, "all freed and trimmed");
}

HAK_TEST_ISOLATED(Accounted, ASmallHeap, "") {
    SKIP_WITH_SANITIZER();
    expect_accounted_with(64 * MIB, true);
}

HAK_TEST_ISOLATED(Accounted, AGigabyte, "") {
    SKIP_WITH_SANITIZER();
    expect_accounted_with(GIB, true);
}

/* The large blocks only: a word of each is written, which makes a page resident. */
HAK_TEST_ISOLATED(Accounted, TwentyGigabytesThatNobodyTouches, "") {
    SKIP_WITH_SANITIZER();
    const size_t before = system_resident_bytes();
    static void *blocks[40960];
    for (unsigned i = 0; i < 40960; i++) HAK_ASSERT_TRUE((blocks[i] = hak_alloc(500000)) != NULL);
    const size_t untouched = system_resident_bytes() - before;
    printf("20 GiB that nobody touches: %.1f MiB are resident\n", (double)untouched / (double)MIB);
    HAK_EXPECT_LT(untouched, 256 * MIB);
    /* Headers, which metadata_bytes bounds, and the table above. */
    HAK_EXPECT_LT(untouched, census_all().metadata_bytes + sizeof blocks + MIB / 2);
    for (unsigned i = 0; i < 40960; i++) hak_free(blocks[i]);
    hak_trim();
    expect_accounted(before, sizeof blocks, "all freed and trimmed");
}

#define THREADS 1000u

static pthread_barrier_t turn;

/* Allocates, keeps, frees, each when all do. The stack is touched before anything is measured. */
static void *thread_body(void *unused) {
    volatile char stack[4096];
    for (unsigned i = 0; i < sizeof stack; i++) stack[i] = 0;
    struct heap heap = {0};
    (void)unused;
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);   /* measured */
    hak_free(hak_alloc(sizes[8])); /* which no magazine keeps: the thread has a record, and nothing else */
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn); /* measured */
    for (unsigned i = 0; i < 6; i++) {
        for (unsigned count = 0; count < 10; count++) {
            void **block = hak_alloc(sizes[i]);
            if (block == NULL) abort();
            *block = heap.last;
            heap.last = block;
        }
    }
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn); /* measured */
    heap_thin(&heap, 0);
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn); /* measured */
    return NULL;
}

#define STACK_BYTES ((size_t)128 << 10)

/* Threads with stacks of the test's own, so that none of them is resident once they have ended. */
static struct crowd {
    pthread_t threads[THREADS];
    unsigned count;
    char *stacks;
} crowd;

/* Whether the system has so many. */
static bool crowd_begin(unsigned count, void *(*body)(void *)) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_barrier_init(&turn, NULL, count + 1);
    crowd.count = 0;
    crowd.stacks = mmap(NULL, count * STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool has_all = crowd.stacks != MAP_FAILED;
    while (has_all && crowd.count < count) {
        has_all = pthread_attr_setstack(&attributes, crowd.stacks + crowd.count * STACK_BYTES, STACK_BYTES) == 0 &&
                  pthread_create(&crowd.threads[crowd.count], &attributes, body, NULL) == 0;
        if (has_all) crowd.count++;
    }
    return has_all;
}

static void crowd_end(void) {
    for (unsigned i = 0; i < crowd.count; i++) pthread_join(crowd.threads[i], NULL);
    munmap(crowd.stacks, crowd.count * STACK_BYTES);
    pthread_barrier_destroy(&turn);
}

HAK_TEST_ISOLATED(Accounted, AThousandThreads, "") {
    SKIP_WITH_SANITIZER();
    const size_t at_start = system_resident_bytes();
    HAK_ASSERT_TRUE(crowd_begin(THREADS, thread_body));
    pthread_barrier_wait(&turn);
    const size_t before = system_resident_bytes();
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    hak_trim();
    expect_accounted(before, 0, "each has a record");
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    expect_accounted(before, THREADS * 4096, "each has some blocks"); /* a page of stack more each, at most */
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    expect_accounted(before, THREADS * 4096, "all freed");
    pthread_barrier_wait(&turn);
    crowd_end();
    hak_trim();
    expect_accounted(at_start, 0, "all ended");
}

#define ENDED 300u
#define ENDED_BYTES ((size_t)16 << 10) /* of each, at most */

/* Some forty sizes to 32 KiB; all threads are there at once, so that each has a record of its own. */
static void *use_many_sizes(void *unused) {
    for (size_t size = 16; size <= 32768; size += size / 5) {
        void *blocks[8];
        for (unsigned i = 0; i < 8; i++) blocks[i] = hak_alloc(size);
        for (unsigned i = 0; i < 8; i++) hak_free(blocks[i]);
    }
    pthread_barrier_wait(&turn);
    return unused;
}

/* Their records, which the next threads get, and what is left of the regions that they used. */
HAK_TEST_ISOLATED(Accounted, ThreadsThatEndedHoldLittleAfterATrim, "") {
    SKIP_WITH_SANITIZER();
    const size_t before = system_resident_bytes();
    HAK_ASSERT_TRUE(crowd_begin(ENDED, use_many_sizes));
    pthread_barrier_wait(&turn);
    crowd_end();
    hak_trim();
    const size_t now = system_resident_bytes(), held = now > before ? now - before : 0;
    printf("%u threads that ended: %.1f KiB each\n", ENDED, (double)held / ENDED / 1024);
    HAK_EXPECT_LE(held, ENDED * ENDED_BYTES);
}
