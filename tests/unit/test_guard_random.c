/* SPDX-License-Identifier: MIT */
/* The random choices of guard full: the function behind them, the children of a fork, and a kernel that gives no bytes. */
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hakmem/base/options.h"
#include "hakmem/base/random.h"
#include "hakmem/guard/canary.h"
#include "hakmem/guard/chacha.h"
#include "hakmem/guard/guard.h"
#include "hakmem/guard/quarantine.h"
#include "hakmem/guard/random.h"
#include "hakmem/hakmem.h"
#include "hakmem/magazine/exchange_levels.h"
#include "hakmem/magazine/shuffle.h"
#include "hakmem/pool/pool.h"
#include "hakmem/os/fake/fake.h"
#include "hakmem/process/begin.h"
#include "hakmem/size_class/size_class.h"
#include "hakmem/slab/random.h"
#include "tests/harness/harness.h"

/* ---- ChaCha ---- */

static void expect_block(const uint32_t key[CHACHA_KEY_WORDS], const uint32_t nonce[CHACHA_NONCE_WORDS],
                         unsigned rounds, unsigned counter, const uint32_t expected[CHACHA_WORDS]) {
    chacha_lanes blocks[CHACHA_WORDS];
    hak_chacha_blocks(key, nonce, rounds, blocks);
    for (unsigned i = 0; i < CHACHA_WORDS; i++) HAK_EXPECT_EQ(blocks[i][counter], expected[i]);
}

/* Section 2.3.2 */
HAK_TEST(Chacha, GivesTheBlockOfTheRfc) {
    static const uint32_t key[] = {0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c,
                                   0x13121110, 0x17161514, 0x1b1a1918, 0x1f1e1d1c};
    static const uint32_t nonce[] = {0x09000000, 0x4a000000, 0};
    static const uint32_t block[] = {0xe4e7f110, 0x15593bd1, 0x1fdd0f50, 0xc47120a3, 0xc7f4d1c7, 0x0368c033,
                                     0x9aaa2204, 0x4e6cd4c3, 0x466482d2, 0x09aa9f07, 0x05d7c214, 0xa2028bd9,
                                     0xd19c12b5, 0xb94e16de, 0xe883d0cb, 0x4e3c50a2};
    expect_block(key, nonce, 20, 1, block);
}

static const uint32_t no_key[CHACHA_KEY_WORDS], no_nonce[CHACHA_NONCE_WORDS];

/* Appendix A.1, 1 and 2 */
HAK_TEST(Chacha, GivesConsecutiveBlocks) {
    static const uint32_t first[] = {0xade0b876, 0x903df1a0, 0xe56a5d40, 0x28bd8653, 0xb819d2bd, 0x1aed8da0,
                                     0xccef36a8, 0xc70d778b, 0x7c5941da, 0x8d485751, 0x3fe02477, 0x374ad8b8,
                                     0xf4b8436a, 0x1ca11815, 0x69b687c3, 0x8665eeb2};
    static const uint32_t second[] = {0xbee7079f, 0x7a385155, 0x7c97ba98, 0x0d082d73, 0xa0290fcb, 0x6965e348,
                                      0x3e53c612, 0xed7aee32, 0x7621b729, 0x434ee69c, 0xb03371d5, 0xd539d874,
                                      0x281fed31, 0x45fb0a51, 0x1f0ae1ac, 0x6f4d794b};
    expect_block(no_key, no_nonce, 20, 0, first);
    expect_block(no_key, no_nonce, 20, 1, second);
}

/* The first of the vectors that the eSTREAM project has of 8 rounds and 256 bits of key. */
HAK_TEST(Chacha, HasAsManyRoundsAsItIsTold) {
    static const uint32_t block[] = {0x2fef003e, 0xd6405f89, 0xe8b85b7f, 0xa1a5091f, 0xc30e842c, 0x3b7f9ace,
                                     0x88e11b18, 0x1e1a71ef, 0x72e14c98, 0x416f21b9, 0x6753449f, 0x19566d45,
                                     0xa3424a31, 0x01b086da, 0xb8fd7b38, 0x42fe0c0e};
    expect_block(no_key, no_nonce, 8, 0, block);
}

/* Word by word, as the RFC writes it. */
static void plain_quarter(uint32_t x[CHACHA_WORDS], unsigned a, unsigned b, unsigned c, unsigned d) {
    static const unsigned turns[] = {16, 12, 8, 7};
    for (unsigned i = 0; i < 4; i++) {
        uint32_t *const sum = &x[i % 2 == 0 ? a : c], *const turned = &x[i % 2 == 0 ? d : b];
        *sum += x[i % 2 == 0 ? b : d];
        *turned ^= *sum;
        *turned = *turned << turns[i] | *turned >> (32 - turns[i]);
    }
}

static void plain_block(const uint32_t key[CHACHA_KEY_WORDS], const uint32_t nonce[CHACHA_NONCE_WORDS], unsigned rounds,
                        uint32_t counter, uint32_t out[CHACHA_WORDS]) {
    static const uint32_t constants[] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    uint32_t x[CHACHA_WORDS];
    memcpy(x, constants, sizeof constants);
    memcpy(x + 4, key, CHACHA_KEY_WORDS * sizeof *key);
    x[12] = counter;
    memcpy(x + 13, nonce, CHACHA_NONCE_WORDS * sizeof *nonce);
    memcpy(out, x, sizeof x);
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < 4; i++) {
            const unsigned skew = round % 2;
            plain_quarter(x, i, 4 + (i + skew) % 4, 8 + (i + 2 * skew) % 4, 12 + (i + 3 * skew) % 4);
        }
    }
    for (unsigned i = 0; i < CHACHA_WORDS; i++) out[i] += x[i];
}

/* All four that are made at once. */
HAK_TEST(Chacha, GivesTheBlocksOfAPlainTwin) {
    uint64_t random = 17;
    for (unsigned round = 0; round < 60; round++) {
        uint32_t key[CHACHA_KEY_WORDS], nonce[CHACHA_NONCE_WORDS], block[CHACHA_WORDS];
        for (unsigned i = 0; i < CHACHA_KEY_WORDS; i++) key[i] = (uint32_t)random_xorshift64(&random);
        for (unsigned i = 0; i < CHACHA_NONCE_WORDS; i++) nonce[i] = (uint32_t)random_xorshift64(&random);
        for (unsigned counter = 0; counter < 4; counter++) {
            const unsigned rounds = 8 + 4 * (round % 4);
            plain_block(key, nonce, rounds, counter, block);
            expect_block(key, nonce, rounds, counter, block);
        }
    }
}

/* ---- What is drawn ---- */

HAK_TEST(Random, ForgetsWhatWasDrawn) {
    hak_process_begin();
    for (unsigned i = 0; i < 3 * GUARD_RANDOM_WORDS; i++) {
        const uint64_t drawn = guard_random_bits();
        for (unsigned k = 0; k < GUARD_RANDOM_WORDS; k++) HAK_EXPECT_NE(hak_guard_random_own.words[k], drawn);
        for (unsigned k = hak_guard_random_own.left; k < GUARD_RANDOM_WORDS; k++)
            HAK_EXPECT_EQ(hak_guard_random_own.words[k], 0);
    }
}

enum { DRAWN = 40, CHILDREN = 3 };

/* The child's first words, in another thread's place of nobody: it draws, tells, and ends. */
static void child_draws(pid_t (*make)(void), uint64_t drawn[DRAWN]) {
    int ends[2], status = 0;
    HAK_EXPECT(pipe(ends) == 0);
    const pid_t child = make();
    if (child == 0) {
        for (unsigned i = 0; i < DRAWN; i++) drawn[i] = guard_random_bits();
        _exit(write(ends[1], drawn, DRAWN * sizeof *drawn) == DRAWN * sizeof *drawn ? 0 : 1);
    }
    HAK_EXPECT(waitpid(child, &status, 0) == child);
    HAK_EXPECT_EQ(status, 0);
    HAK_EXPECT(read(ends[0], drawn, DRAWN * sizeof *drawn) == DRAWN * sizeof *drawn);
    close(ends[0]);
    close(ends[1]);
}

static void expect_all_different(const uint64_t *words, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        for (unsigned k = 0; k < i; k++) HAK_EXPECT_NE(words[i], words[k]);
    }
}

static void expect_children_draw_anew(pid_t (*make)(void)) {
    static uint64_t drawn[CHILDREN + 1][DRAWN];
    hak_process_begin();
    (void)guard_random_bits(); /* so that some are left to draw when the children are made */
    for (unsigned i = 0; i < CHILDREN; i++) child_draws(make, drawn[i]);
    for (unsigned i = 0; i < DRAWN; i++) drawn[CHILDREN][i] = guard_random_bits();
    expect_all_different(drawn[0], (CHILDREN + 1) * DRAWN);
}

/* As programs make children that no handler of fork knows of. */
static pid_t raw_clone(void) { return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }

HAK_TEST(Random, ChildrenOfAForkDrawAnew) { expect_children_draw_anew(fork); }

HAK_TEST(Random, ChildrenOfARawCloneDrawAnew) { expect_children_draw_anew(raw_clone); }

HAK_TEST_ISOLATED(Random, ChildrenOfAForkDrawAnewWithoutThePage, "") {
    static uint64_t kept;
    hak_process_begin();
    os_fake_fail_only(OS_FAKE_MAP_WIPED);
    os_fake_fail_from(1);
    hak_guard_random_init(); /* it keeps what it has, which the test takes away */
    hak_guard_random_era = &kept;
    expect_children_draw_anew(fork);
}

HAK_TEST_ISOLATED(Random, WithoutTheKernelEverySecretIsAnother, "") {
    static uint64_t words[100 + 4 + (CHILDREN + 1) * DRAWN];
    hak_process_begin();
    os_fake_reset();
    os_fake_fail_only(OS_FAKE_RANDOM);
    os_fake_fail_from(1);
    hak_canary_init(); /* no block is live */
    HAK_EXPECT_EQ(os_fake_calls(), 3);
    for (unsigned i = 0; i < 100; i++) words[i] = hak_guard_random_seed();
    memcpy(words + 100, hak_canary.secret, sizeof hak_canary.secret);
    words[102] = hak_canary.factor;
    words[103] = hak_guard_random_this_era();
    for (unsigned i = 0; i < CHILDREN; i++) child_draws(raw_clone, words + 104 + i * DRAWN);
    for (unsigned i = 0; i < DRAWN; i++) words[104 + CHILDREN * DRAWN + i] = guard_random_bits();
    expect_all_different(words, sizeof words / sizeof *words);
    /* Nor alike: numbers that were only added up or multiplied share long runs of bits. */
    for (unsigned i = 1; i < 100; i++) {
        const int changed = __builtin_popcountll(words[i] ^ words[i - 1]);
        HAK_EXPECT(changed > 6 && changed < 58);
    }
}

/* ---- What the system refuses ---- */

/* The features that need address space are switched off alone; each of them if it alone is refused. */
HAK_TEST_ISOLATED(Guard, WhatIsRefusedIsSwitchedOff, "") {
    hak_process_begin();
    const unsigned all = hak_options.guard;
    os_fake_reset();
    os_fake_fail_only(OS_FAKE_RESERVE);
    os_fake_fail_from(1);
    hak_guard_init(); /* no block is live */
    HAK_EXPECT_EQ(hak_options.guard, all & ~(unsigned)(HAK_FEATURE_PAGES | HAK_FEATURE_ZERO_SIZE));
    hak_options.guard = all;
    os_fake_fail_from(2);
    hak_guard_init();
    HAK_EXPECT_EQ(hak_options.guard, all & ~(unsigned)HAK_FEATURE_ZERO_SIZE);
    os_fake_reset();
    hak_options.guard = all;
}

static void begin_refused(unsigned from) {
    os_fake_reset();
    os_fake_fail_only(OS_FAKE_RESERVE);
    os_fake_fail_from(from);
    hak_guard_init();
    abort();
}

/* And says so. */
HAK_TEST_ISOLATED(Guard, WhatIsSwitchedOffIsSaid, "") {
    hak_process_begin();
    HAK_EXPECT_DEATH(begin_refused(1), "goes on without.*HAKMEM_GUARD=pages|HAKMEM_GUARD=pages.*goes on without");
    HAK_EXPECT_DEATH(begin_refused(2),
                     "goes on without.*HAKMEM_GUARD=zero_size|HAKMEM_GUARD=zero_size.*goes on without");
}

/* ---- What is chosen ---- */

HAK_TEST(Random, TheBlockOfAWordIsAnyOfThoseThatAreFree) {
    hak_process_begin();
    const unsigned class_index = 4, self = 77;
    struct slab *slab = hak_slab_create(class_index, self);
    static void *taken[8192];
    unsigned count = 0, lowest = 0;
    while (count < hak_classes[class_index].blocks / 2) {
        uint64_t before[8192 / 64];
        const unsigned words = hak_classes[class_index].bitmap_words;
        bool zeroed;
        for (unsigned i = 0; i < words; i++) before[i] = slab_free_bits(slab, class_index)[i];
        HAK_ASSERT_TRUE(hak_slab_take_random(slab, class_index, taken + count++, 1, &zeroed) == 1);
        for (unsigned i = 0; i < words; i++) {
            const uint64_t bit = before[i] ^ slab_free_bits(slab, class_index)[i];
            lowest += bit != 0 && (before[i] & (bit - 1)) == 0;
        }
    }
    HAK_EXPECT_LT(lowest, count / 4);
    HAK_EXPECT_EQ(hak_slab_free_blocks(self, class_index, taken, count), 0);
    HAK_EXPECT(hak_slab_release_if_empty(slab, class_index));
}

/* As many wait as there are places, in the end: at random each is met, and none is left out. */
HAK_TEST_ISOLATED(Quarantine, EveryPlaceIsUsed, "") {
    enum { PLACES = 256, PASSED = 20000 };
    const unsigned class_index = 3;
    void *leaving[QUARANTINE_BATCH];
    for (uintptr_t i = 0; i < PASSED; i++) {
        void *p = (void *)(16 * (i + 1));
        HAK_EXPECT_LE(hak_quarantine_pass(class_index, 2, &p, 1, leaving), 1);
    }
    HAK_EXPECT_EQ(hak_quarantine_blocks(class_index), 2 * PLACES);
    while (hak_quarantine_drain(class_index, leaving) != 0) continue;
}

/* The queue's order too: what leaves it next in a child is not what leaves it in the others. */
HAK_TEST_ISOLATED(Quarantine, ChildrenLetBlocksOutInAnotherOrder, "") {
    enum { FIRST = 5000, NEXT = 64 };
    const unsigned class_index = 3;
    static uintptr_t order[2][NEXT];
    void *leaving[QUARANTINE_BATCH];
    uintptr_t passed = 0;
    while (passed < FIRST) {
        void *p = (void *)(16 * ++passed);
        (void)hak_quarantine_pass(class_index, 2, &p, 1, leaving);
    }
    for (unsigned child = 0; child < 2; child++) {
        int ends[2], status = 0;
        HAK_EXPECT(pipe(ends) == 0);
        const pid_t pid = raw_clone();
        if (pid == 0) {
            for (unsigned i = 0; i < NEXT;) {
                void *p = (void *)(16 * ++passed);
                if (hak_quarantine_pass(class_index, 2, &p, 1, leaving) == 1) order[0][i++] = (uintptr_t)leaving[0];
            }
            _exit(write(ends[1], order[0], sizeof order[0]) == sizeof order[0] ? 0 : 1);
        }
        HAK_EXPECT(waitpid(pid, &status, 0) == pid);
        HAK_EXPECT(read(ends[0], order[child], sizeof order[child]) == sizeof order[child]);
        close(ends[0]);
        close(ends[1]);
    }
    unsigned same = 0;
    for (unsigned i = 0; i < NEXT; i++) same += order[0][i] == order[1][i];
    HAK_EXPECT_LT(same, NEXT / 2);
    while (hak_quarantine_drain(class_index, leaving) != 0) continue;
}

/* Each block of a batch has a place of its own choice: wherever it stands in the batch, it may wait long. */
HAK_TEST_ISOLATED(Quarantine, EachOfABatchWaitsAtRandom, "") {
    enum { BATCH = 5, PASSED = 25000, LONG = 1000 };
    const unsigned class_index = 3;
    void *batch[BATCH], *leaving[QUARANTINE_BATCH];
    unsigned waited_long[BATCH] = {0};
    for (uintptr_t i = 0; i < PASSED; i += BATCH) {
        for (unsigned k = 0; k < BATCH; k++) batch[k] = (void *)(16 * (i + k + 1));
        uint32_t left = hak_quarantine_pass(class_index, 2, batch, BATCH, leaving);
        while (left > 0) {
            const uintptr_t number = (uintptr_t)leaving[--left] / 16 - 1;
            waited_long[number % BATCH] += i > number + LONG;
        }
    }
    /* 256 in the queue, and as many in its place on average: of 5,000 blocks some 270 wait as long as that. */
    for (unsigned k = 0; k < BATCH; k++) HAK_EXPECT(waited_long[k] > 100 && waited_long[k] < 600);
    while (hak_quarantine_drain(class_index, leaving) != 0) continue;
}

/* ---- The order of what a child has loaded ---- */

static unsigned shuffled_class;
static void *order_before[MAGAZINE_SLOTS];

static void **loaded_base(void) { return hak_loaded[shuffled_class] - exchange_loaded_level(hak_self, shuffled_class); }

static void *take_shuffled(void) { return pool_alloc(shuffled_class, hak_classes[shuffled_class].block_size); }

/* So many blocks are loaded, and what lies in the slots is noted. */
static void load_and_note(uint32_t level) {
    while (exchange_loaded_level(hak_self, shuffled_class) < level) HAK_ASSERT_TRUE(take_shuffled() != NULL);
    while (exchange_loaded_level(hak_self, shuffled_class) > level) HAK_ASSERT_TRUE(take_shuffled() != NULL);
    memcpy(order_before, loaded_base(), level * sizeof *order_before);
}

static bool is_in_order(uint32_t level) { return memcmp(loaded_base(), order_before, level * sizeof(void *)) == 0; }

/* The same blocks are there, and in those slots that may not change the same ones. */
static void expect_shuffled(uint32_t level, uint32_t parked) {
    void **const base = loaded_base();
    HAK_EXPECT_EQ(exchange_loaded_level(hak_self, shuffled_class), level);
    HAK_EXPECT_PTR_EQ(base[-1], NULL);
    HAK_EXPECT_PTR_EQ(base[level - 1], order_before[level - 1]);
    for (uint32_t i = 0; i < level; i++) {
        unsigned found = 0;
        for (uint32_t k = 0; k < level; k++) found += base[k] == order_before[i];
        HAK_EXPECT_EQ(found, 1);
    }
    if (parked < level) HAK_EXPECT_PTR_EQ(base[parked], NULL);
}

/* Each of the others is moved sooner or later. */
static void shuffle_often(uint32_t level, uint32_t parked) {
    bool moved[MAGAZINE_SLOTS] = {false};
    load_and_note(level);
    void **const base = loaded_base();
    void *const block = parked < level ? base[parked] : NULL;
    if (parked < level) base[parked] = order_before[parked] = NULL;
    for (unsigned round = 0; round < 300 && harness_failure_count() == 0; round++) {
        hak_shuffle_own();
        expect_shuffled(level, parked);
        for (uint32_t i = 0; i < level; i++) moved[i] |= base[i] != order_before[i];
    }
    for (uint32_t i = 0; i + 1 < level; i++) HAK_EXPECT(moved[i] || i == parked);
    if (parked < level) base[parked] = block;
}

HAK_TEST_ISOLATED(Random, AnyBlockOfAChildsMagazineButTheTopMayComeNext, "HAKMEM_PURGE_DELAY_MS=-1") {
    enum { NOT_PARKED = MAGAZINE_SLOTS };
    hak_process_begin();
    hak_shuffle_own(); /* without a record there is nothing to do */
    hak_free(hak_alloc(64));
    shuffled_class = size_class_of(64);
    shuffle_often(16, 7);
    shuffle_often(16, NOT_PARKED);
    shuffle_often(3, NOT_PARKED);
    /* Not within an exchange, which goes on in the child; nor without the feature. */
    load_and_note(16);
    exchange_enter(hak_self);
    for (unsigned round = 0; round < 20; round++) hak_shuffle_own();
    exchange_leave(hak_self);
    HAK_EXPECT(is_in_order(16));
    hak_options.guard &= ~(unsigned)HAK_FEATURE_RANDOM;
    for (unsigned round = 0; round < 20; round++) hak_shuffle_own();
    HAK_EXPECT(is_in_order(16));
    hak_options.guard |= HAK_FEATURE_RANDOM;
}
