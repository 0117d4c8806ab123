/* SPDX-License-Identifier: MIT */
/* What a write that goes astray may change in hakmem's own data: each field of a descriptor and each link of a list, in a
 * child, which has to report it and abort before it gives a block out by it.
 *
 * The slabs belong to thread numbers that no thread of the test has. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "hakmem/hakmem.h"
#include "hakmem/magazine/record.h"
#include "hakmem/magazine/stash.h"
#include "hakmem/magazine/thread.h"
#include "hakmem/misuse/misuse.h"
#include "hakmem/process/begin.h"
#include "hakmem/process/purge.h"
#include "hakmem/region/page_map.h"
#include "hakmem/region/runs.h"
#include "hakmem/shadow/shadow.h"
#include "hakmem/slab/list.h"
#include "hakmem/slab/slab.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/threads.h"

#define SELF 1001u
#define OTHER 1002u
#define BLOCKS_MAX 8192

/* Classes with many words, with one word, and of several chunks. */
static const unsigned classes[] = {1, HAK_TINY_CLASS_LAST, HAK_L2_CLASS_LAST};
#define CLASSES (sizeof classes / sizeof *classes)

static void *blocks[BLOCKS_MAX];
static bool zeroed;

static uint32_t take(struct slab *slab, unsigned c, uint32_t wanted) {
    return hak_slab_take(slab, c, blocks, wanted, &zeroed);
}

/* A slab with half of its blocks given out, and the others never. */
static struct slab *half_slab(unsigned c) {
    hak_process_begin();
    struct slab *slab = hak_slab_create(c, SELF);
    HAK_EXPECT(slab != NULL);
    take(slab, c, hak_classes[c].blocks / 2);
    return slab;
}

/* One that nobody owns, in its list. */
static struct slab *listed_slab(unsigned c) {
    struct slab *slab = half_slab(c);
    hak_slab_detach(slab, c);
    HAK_EXPECT_EQ(hak_slab_state_of(slab), SLAB_PARTIAL);
    return slab;
}

static void take_all(struct slab *slab, unsigned c) {
    while (slab->free_count > 0) take(slab, c, hak_classes[c].blocks);
}

static void free_half(uint32_t self, unsigned c) { hak_slab_free_blocks(self, c, blocks, hak_classes[c].blocks / 2); }

/* In a child: `change` of the slab, then `use`. */
#define EXPECT_FOUND(change, use) \
    HAK_EXPECT_DEATH(             \
        {                         \
            change;               \
            use;                  \
        },                        \
        "hakmem: [a-z]+\\(0x[0-9a-f]+\\): corrupted: ")

HAK_TEST(Corruption, IsReportedInOneLineWhateverThePolicy) {
    HAK_EXPECT_DEATH(hak_report_corruption("slab", (void *)0x1230, "a and b"),
                     "^hakmem: slab\\(0x1230\\): corrupted: a and b\n$");
}

static void find_more(int number) {
    char local[64] __attribute__((aligned(16)));
    (void)number;
    hak_free(local); /* a wrong call, of which nothing is said */
    if (write(STDERR_FILENO, "handled\n", 8) != 8) _exit(3);
    hak_report_corruption("slab", (void *)0x4560, "c and d");
}

/* Else it would be called again and again, as long as the stack lasts. */
HAK_TEST(Corruption, EndsTheProcessInAHandlerOfTheAbortThatComesUponMore) {
    HAK_EXPECT_DEATH(
        {
            signal(SIGABRT, find_more);
            hak_report_corruption("slab", (void *)0x1230, "a and b");
        },
        "^hakmem: slab\\(0x1230\\): corrupted: a and b\nhandled\nhakmem: slab\\(0x4560\\): corrupted: c and d\n$");
}

HAK_TEST(Corruption, OfAnOwnedSlabIsFoundByTheRefill) {
    for (unsigned k = 0; k < CLASSES; k++) {
        const unsigned c = classes[k];
        struct slab *slab = half_slab(c);
        EXPECT_FOUND(slab->free_count += 1, take_all(slab, c));
        EXPECT_FOUND(slab->free_count = UINT32_MAX, take_all(slab, c));
        if (!HAK_GUARD_FULL) { /* which takes blocks in another order, and whose blocks read zero all */
            EXPECT_FOUND(slab->scan_word = UINT32_MAX, take(slab, c, 1));
            EXPECT_FOUND(slab->scan_word = hak_classes[c].bitmap_words, take(slab, c, 1));
            EXPECT_FOUND(slab->fresh_from = 0, take(slab, c, 1));
        }
        EXPECT_FOUND(slab_free_bits(slab, c)[hak_classes[c].bitmap_words - 1] = 1ull << 63, take(slab, c, BLOCKS_MAX));
        hak_slab_detach(slab, c);
        free_half(OTHER, c);
        HAK_EXPECT_EQ(hak_slab_state_of(slab), SLAB_EMPTY);
    }
}

HAK_TEST(Corruption, OfAControlWordIsFound) {
    const unsigned c = 3;
    struct slab *slab = half_slab(c);
    const uint64_t control = slab->control;
    EXPECT_FOUND(slab->control = control + 1, hak_slab_detach(slab, c));         /* FULL */
    EXPECT_FOUND(slab->control = control + (1u << 8), hak_slab_detach(slab, c)); /* of the next class */
    EXPECT_FOUND(slab->control = control + (1u << 16), hak_slab_drain(slab, c)); /* one more was freed */
    EXPECT_FOUND(slab->control = control + 1, free_half(SELF, c));               /* FULL, and owned */
    EXPECT_FOUND(slab->owner = SELF, hak_slab_detach(slab, c); slab->owner = SELF; free_half(SELF, c));
    /* Every block is counted as free, and half of them are live. */
    EXPECT_FOUND(slab->control = control + ((uint64_t)hak_classes[c].blocks / 2 << 16), hak_slab_detach(slab, c));
    EXPECT_FOUND(slab->free_count = hak_classes[c].blocks, hak_slab_detach(slab, c));
    hak_slab_detach(slab, c);
    EXPECT_FOUND(slab->control -= 1, hak_slab_claim(c, SELF));       /* FULL, and in a list */
    EXPECT_FOUND(slab->control += 1u << 8, hak_slab_claim(c, SELF)); /* likewise of another class */
    EXPECT_FOUND(slab->control |= 0xff00, (void)census_all());       /* of no class */
    free_half(OTHER, c);
    HAK_EXPECT_EQ(hak_slab_state_of(slab), SLAB_EMPTY);
    EXPECT_FOUND(slab->control = control, half_slab(c)); /* in a chunk that is free */
}

HAK_TEST(Corruption, OfAListedSlabIsFoundByTheClaim) {
    for (unsigned k = 0; k < CLASSES; k++) {
        const unsigned c = classes[k];
        struct slab *slab = listed_slab(c);
        EXPECT_FOUND(slab->free_count += 1, hak_slab_claim(c, SELF));
        EXPECT_FOUND(slab->free_count -= 1, hak_slab_claim(c, SELF));
        EXPECT_FOUND(slab_free_bits(slab, c)[0] |= slab_free_bits(slab, c)[0] + 1,
                     hak_slab_claim(c, SELF)); /* a live block's */
        EXPECT_FOUND(slab->bucket = 0, hak_slab_claim(c, SELF));
        EXPECT_FOUND(slab->bucket = 200, hak_slab_claim(c, SELF));
        EXPECT_FOUND(slab->bucket ^= 1, hak_slab_claim(c, SELF));
        EXPECT_FOUND(slab->bucket += 4, hak_slab_claim(c, SELF));     /* as if it was purged */
        EXPECT_FOUND(slab->control ^= 0x40, hak_slab_claim(c, SELF)); /* as if no bit was set */
        EXPECT_FOUND(slab->listed_free = 0, hak_slab_claim(c, SELF)); /* it is to be purged */
        hak_purge_all();
        EXPECT_FOUND(slab->listed_free = 1, hak_slab_claim(c, SELF)); /* it was purged */
        free_half(OTHER, c);
        HAK_EXPECT_EQ(hak_slab_state_of(slab), SLAB_EMPTY);
    }
}

/* ---- Lists ---- */

/* As a link leads to it. */
static uint32_t number_of(const struct slab *slab) { return (uint32_t)(slab_base(slab) >> HAK_CHUNK_SHIFT); }

/* Of the address space's last region: nothing is mapped there. */
#define NOWHERE ((uint32_t)(((uint64_t)1 << (HAK_ADDRESS_BITS - HAK_CHUNK_SHIFT)) - HAK_REGION_CHUNKS))

static void check_links(struct slab_list *list, struct slab *const *slabs, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        struct slab *slab = slabs[i];
        struct slab_link *const link = &slab->link;
        const uint32_t wrong[] = {NOWHERE, number_of(slab), number_of(slab) + 7,
                                  16,      UINT32_MAX,      number_of(slab) ^ HAK_REGION_CHUNKS};
        for (unsigned k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
            EXPECT_FOUND(link->next = wrong[k], hak_list_unlink(list, slab));
            EXPECT_FOUND(link->previous = wrong[k], hak_list_unlink(list, slab));
            EXPECT_FOUND(link->next = wrong[k], (void)hak_list_next(slab));
        }
        if (link->previous != 0) EXPECT_FOUND(link->previous = 0, hak_list_unlink(list, slab));
        if (link->next != 0) EXPECT_FOUND(link->next = 0, hak_list_unlink(list, slab));
    }
}

HAK_TEST(Corruption, OfASlabsLinksIsFound) {
    hak_process_begin();
    struct slab_list list = {0};
    struct slab *slabs[3];
    for (unsigned i = 0; i < 3; i++) {
        slabs[i] = hak_slab_create(3, SELF);
        hak_list_link(&list, slabs[i]);
    }
    HAK_EXPECT_PTR_EQ(hak_list_first(&list), slabs[2]);
    HAK_EXPECT_PTR_EQ(hak_list_last(&list), slabs[0]);
    check_links(&list, slabs, 3);
    for (unsigned i = 0; i < 3; i++) {
        hak_list_unlink(&list, slabs[(i + 1) % 3]);
        HAK_EXPECT(hak_slab_release_if_empty(slabs[(i + 1) % 3], 3));
    }
    HAK_EXPECT(list_is_empty(&list));
}

static struct hak_thread forged_thread, *ended_thread;

static void begin(void *argument, unsigned index) {
    (void)argument;
    (void)index;
    hak_free(hak_alloc(100));
    ended_thread = hak_self;
}

/* The second thread begins with the record of the first, which was free meanwhile. */
static void take_a_record(int change) {
    hak_free(hak_alloc(100));
    threads_run(1, begin, NULL);
    struct hak_thread *first = ended_thread;
    switch (change) {
    case 1: first->link = &forged_thread.next; break;
    case 2: first->next = &forged_thread; break;
    default: break;
    }
    threads_run(1, begin, NULL);
    HAK_EXPECT_PTR_EQ(ended_thread, first);
}

HAK_TEST(Corruption, OfAThreadsLinksIsFound) {
    HAK_EXPECT_EXIT_OK(take_a_record(0));
    EXPECT_FOUND((void)0, take_a_record(1));
    EXPECT_FOUND((void)0, take_a_record(2));
}

HAK_TEST(Corruption, OfAStashIsFound) {
    hak_free(hak_alloc(100));
    static void *storage[2 * MAGAZINE_SLOTS];
    struct hak_thread_stash *stash = &hak_self->stashes[3];
    EXPECT_FOUND(stash->full = storage, hak_stash_take(hak_self, 3, storage));
    EXPECT_FOUND(stash->full = hak_self->magazines[THREAD_MAGAZINES], hak_stash_take(hak_self, 3, storage));
    EXPECT_FOUND(hak_self->magazines[0][0] = storage;
                 stash->full = hak_self->magazines[0], hak_stash_take(hak_self, 3, storage));
    EXPECT_FOUND(stash->full = &hak_self->magazines[0][1];
                 hak_self->classes[3].stashed = 1, hak_stash_take_oldest(hak_self, 3));
}

/* ---- A region's header ---- */

HAK_TEST(Corruption, OfARegionsHeaderIsFound) {
    const unsigned c = HAK_L2_CLASS_LAST, chunks = hak_classes[c].chunks;
    struct slab *slab = half_slab(c);
    struct region *region = region_of(slab);
    const unsigned first = slab_chunk(slab);
    void *last = blocks[0];
    /* The slab's chunks count as free. */
    for (unsigned chunk = first; chunk < first + chunks; chunk++) region->free[chunk / 64] |= 1ull << chunk % 64;
    hak_runs_raise(RUNS_FREE, region, chunks);
    EXPECT_FOUND(memset(region->dirty, 0, sizeof region->dirty),
                 for (int i = 0; i < 600; i++) hak_slab_create(1, SELF));
    for (unsigned chunk = first; chunk < first + chunks; chunk++) region->free[chunk / 64] &= ~(1ull << chunk % 64);
    EXPECT_FOUND(region->number++, hak_region_span_free(region, first, chunks));
    EXPECT_FOUND(region->span_first[region_chunk_of(last)] = HAK_REGION_CHUNKS - 1,
                 hak_slab_free_blocks(SELF, c, &last, 1));
    if (chunks > 1) {
        EXPECT_FOUND(region->span_first[first] = (uint16_t)(first + 1), hak_slab_free_blocks(SELF, c, blocks, 1));
    }
    hak_slab_detach(slab, c);
    free_half(OTHER, c);
}

/* It is in two places of which class a chunk is. */
HAK_TEST(Corruption, OfAFreeChunksClassIsFound) {
    enum { TAKEN = 7, OTHER_CLASS = 3 };
    struct span span;
    hak_process_begin();
    HAK_ASSERT_TRUE(hak_region_span_alloc(1, TAKEN, &span) == 0);
    const void *const chunk = region_chunk_address(span.region, span.first);
    hak_region_span_free(span.region, span.first, 1); /* the next one of the class gets it */
    EXPECT_FOUND(span.region->chunk_class[span.first] = OTHER_CLASS, (void)hak_region_span_alloc(1, TAKEN, &span));
    EXPECT_FOUND(hak_page_map_set(chunk, 1, OTHER_CLASS), (void)hak_region_span_alloc(1, TAKEN, &span));
}

/* ---- Bits that say of a live block that it is free ---- */

HAK_TEST(Corruption, OfALiveBlocksBitIsFoundWithGuard) {
    if (!HAK_GUARD_EXACT) HAK_SKIP("the shadow knows which blocks are live");
    const unsigned c = 3;
    struct slab *slab = half_slab(c);
    struct slab_position position;
    HAK_ASSERT_TRUE(slab_locate(blocks[0], c, &position));
    const uint32_t block = position.block;
    const uint64_t bit = 1ull << block % 64;
    shadow_set(blocks[0], c);
    EXPECT_FOUND(slab_free_bits(slab, c)[block / 64] |= bit; slab->free_count++;
                 slab->scan_word = 0, take_all(slab, c));
    EXPECT_FOUND(slab_remote_bits(slab, c)[block / 64] |= bit; slab->control += 1u << 16, hak_slab_drain(slab, c);
                 take_all(slab, c));
    shadow_set(blocks[0], 0);
    hak_slab_detach(slab, c);
    free_half(OTHER, c);
    HAK_EXPECT_EQ(hak_slab_state_of(slab), SLAB_EMPTY);
}

/* ---- One write of three bytes ---- */

/* Every three bytes of a descriptor but of its bits, written with each of a few values: whatever malloc gives afterwards
 * lies in no live block, or the process ends. */
static void write_and_allocate(size_t at, unsigned value) {
    char *victim = hak_alloc(256), *p = hak_alloc(64);
    struct slab *slab = slab_of(p);
    memcpy((char *)slab + at, &value, 3);
    for (unsigned i = 0; i < 5000; i++) {
        char *q = hak_alloc(64);
        if ((q <= victim && victim < q + 64) || (q >= victim && q < victim + 256) || q == p)
            harness_fail(__FILE__, __LINE__, "given out again");
    }
}

/* Status of a child in which a live block was given out. A sanitizer ends it with another, where hakmem does not. */
#define GIVEN_OUT 42

HAK_TEST(Corruption, OfThreeBytesGivesNoLiveBlockOut) {
    static const unsigned values[] = {0, 1, 0x7fff, 0x10000, 0xffffff};
    hak_free(hak_alloc(64));
    for (size_t at = 0; at + 3 <= offsetof(struct slab, inline_free_bits); at++) {
        for (unsigned i = 0; i < 5; i++) {
            struct process_result result;
            struct process process;
            const unsigned failures = harness_failure_count();
            const pid_t pid = process_fork(&process);
            if (pid == 0) {
                write_and_allocate(at, values[i]);
                _exit(harness_failure_count() == failures ? 0 : GIVEN_OUT);
            }
            process_finish(&process, &result);
            HAK_EXPECT(!result.exited || result.code != GIVEN_OUT);
        }
    }
}
