/* SPDX-License-Identifier: MIT */
/* A program that writes where it must not: over blocks that it freed, and over the bytes on both sides of its blocks, with addresses
 * and random bits, by seeds. No block is given out twice, none overlaps another, and where nothing is done to freed blocks the
 * allocator writes into no byte that it has not just given out; meanwhile a walk finds the live blocks and no other, and every bitmap,
 * count and list agrees with the others.
 *
 * HAK_HOSTILE_SEEDS in the environment says how many seeds, HAK_HOSTILE_FIRST the first of them. Each has a process of its own. With
 * guard full the damage is reported, and the process goes on. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hakmem/base/random.h"
#include "hakmem/flags/flags.h"
#include "hakmem/hakmem.h"
#include "hakmem/region/region.h"
#include "tests/harness/harness.h"
#include "tests/harness/pattern.h"
#include "tests/harness/structures.h"
#include "tests/harness/threads.h"

#define SEEDS 12u
#define STEPS HAK_TEST_SCALE(6000u)
#define LOOK_EVERY 500u
#define LIVE 300u
#define FREED 300u
#define FILLED_MOST ((size_t)4096) /* of larger blocks only the start is written and compared */
#define BORDER_MOST 64u

/* A block that is the program's, or that it freed and nobody has been given since. */
struct block {
    unsigned char *start; /* NULL: none */
    size_t usable;
    uint64_t seed;   /* of the content of its first FILLED_MOST bytes */
    bool is_spoiled; /* a write that was meant for a neighbour went over it */
    bool is_aligned; /* its free is told no size */
    size_t size;
};

static struct block live[LIVE], freed[FREED];
static uint64_t random_state;

static uint64_t draw(void) { return random_xorshift64(&random_state); }
static unsigned below(unsigned bound) { return (unsigned)(draw() >> 16) % bound; }

static size_t filled(const struct block *block) { return block->usable < FILLED_MOST ? block->usable : FILLED_MOST; }

static bool meets(const struct block *block, const unsigned char *start, size_t size) {
    return block->start != NULL && start < block->start + block->usable && block->start < start + size;
}

/* Memory that slabs cut into blocks; what the allocator knows of them lies elsewhere. */
static bool is_of_blocks(const unsigned char *start, size_t size) {
    return hak_region_chunk_class(start) != 0 && hak_region_chunk_class(start + size - 1) != 0;
}

static void expect_content(const struct block *block, const char *what) {
    if (!block->is_spoiled && !pattern_holds(block->start, filled(block), block->seed))
        harness_fail(__FILE__, __LINE__, "%s of %zu bytes was written", what, block->usable);
}

/* ---- What the program may do -------------------------------------------------------------------------------------- */

/* Guard full makes freed blocks read zero, and has no say of what was written to them before. */
static void forget_freed(const struct block *given, bool is_written) {
    for (struct block *one = freed; one < freed + FREED; one++) {
        if (!meets(one, given->start, given->usable)) continue;
        if (!is_written && !HAK_GUARD_FULL) expect_content(one, "a freed block");
        one->start = NULL;
    }
}

/* A block that was just given out. `is_written`: with content of the allocator's. */
static void note(struct block *block, void *start, size_t size, bool is_written) {
    *block = (struct block){.start = start, .usable = hak_usable_size(start), .seed = draw(), .size = size};
    HAK_EXPECT_GE(block->usable, size);
    for (struct block *one = live; one < live + LIVE; one++) {
        if (one != block && meets(one, block->start, block->usable))
            harness_fail(__FILE__, __LINE__, "%p of %zu bytes is given out, and %p of %zu bytes is live", start,
                         block->usable, (void *)one->start, one->usable);
    }
    forget_freed(block, is_written);
    pattern_fill(block->start, filled(block), block->seed);
}

/* Mostly small ones, of all pools. */
static size_t random_size(void) {
    switch (below(16)) {
    case 0: return 32769 + below(500000);
    case 1:
    case 2: return 1025 + below(31744);
    case 3: return below(8) == 0 ? 1100000 + below(2000000) : 1 + below(1024);
    default: return 1 + below(256);
    }
}

static void allocate(struct block *block) {
    const size_t size = random_size();
    const unsigned how = below(8);
    void *p = NULL;
    if (how == 0) {
        /* Not all zero perhaps: what was never given out is not cleared, and a write may have strayed there. */
        p = hak_calloc(1, size);
    } else if (how == 1) {
        p = hak_aligned_alloc((size_t)16 << below(9), size);
    } else {
        p = hak_alloc(size);
    }
    HAK_ASSERT_TRUE(p != NULL);
    note(block, p, size, how == 0);
    block->is_aligned = how == 1;
}

static void free_by_another(void *p, unsigned index) {
    (void)index;
    hak_free(p);
}

static void release(struct block *block) {
    void *const p = block->start;
    expect_content(block, "a live block");
    /* The mapping of a huge block goes. */
    if (is_of_blocks(block->start, filled(block))) freed[below(FREED)] = *block;
    block->start = NULL;
    if (below(60) == 0) {
        threads_run(1, free_by_another, p);
    } else if (!HAK_GUARD_FULL && !block->is_aligned && below(8) == 0) {
        hak_free_sized(p, block->size); /* guard full keeps a block of which it no longer knows the size */
    } else {
        hak_free(p);
    }
}

static void resize(struct block *block) {
    const struct block before = *block;
    const size_t size = random_size();
    block->start = NULL;
    unsigned char *const p = hak_realloc(before.start, size);
    HAK_ASSERT_TRUE(p != NULL);
    if (!before.is_spoiled) {
        const size_t kept = filled(&before) < size ? filled(&before) : size;
        HAK_EXPECT(pattern_holds(p, kept < before.size ? kept : before.size, before.seed));
    }
    note(block, p, size, true);
}

/* ---- What it must not do ------------------------------------------------------------------------------------------ */

/* What would do most harm: addresses of blocks, small numbers, all bits. */
static uint64_t harmful(void) {
    switch (below(5)) {
    case 0: return (uintptr_t)live[below(LIVE)].start;
    case 1: return (uintptr_t)freed[below(FREED)].start + below(64);
    case 2: return below(3);
    case 3: return ~(uint64_t)0;
    default: return draw();
    }
}

static void scribble(unsigned char *start, size_t size) {
    for (size_t at = 0; at < size; at += 8) {
        const uint64_t word = harmful();
        memcpy(start + at, &word, size - at < 8 ? size - at : 8);
    }
}

static void spoil(const unsigned char *start, size_t size) {
    for (unsigned i = 0; i < LIVE; i++) live[i].is_spoiled |= meets(&live[i], start, size);
    for (unsigned i = 0; i < FREED; i++) freed[i].is_spoiled |= meets(&freed[i], start, size);
}

/* Its slab may have become a part of a huge block, which is the allocator's once more when it is freed. */
static void scribble_over_freed(void) {
    const struct block *const block = &freed[below(FREED)];
    if (block->start == NULL || !is_of_blocks(block->start, filled(block))) return;
    spoil(block->start, filled(block));
    scribble(block->start, filled(block));
}

/* So that it is compared when it is given out again. */
static void fill_freed(void) {
    struct block *const block = &freed[below(FREED)];
    if (block->start == NULL || !is_of_blocks(block->start, filled(block))) return;
    spoil(block->start, filled(block));
    block->is_spoiled = false;
    pattern_fill(block->start, filled(block), block->seed = draw());
}

static void scribble_at_border(void) {
    const struct block *const block = &live[below(LIVE)];
    const size_t size = 1 + below(BORDER_MOST);
    if (block->start == NULL) return;
    unsigned char *const start = below(2) == 0 ? block->start - size : block->start + block->usable;
    if (!is_of_blocks(start, size)) return;
    spoil(start, size);
    scribble(start, size);
}

/* ---- The comparison ------------------------------------------------------------------------------------------------ */

struct sum {
    uint64_t blocks, starts;
};

static void add(struct sum *sum, const void *start) {
    sum->blocks++;
    sum->starts += random_mix((uintptr_t)start);
}

static bool add_walked(const struct hak_walk_block *block, void *argument) {
    const struct block *one = live;
    while (one < live + LIVE && one->start != block->start) one++;
    if (one == live + LIVE) harness_fail(__FILE__, __LINE__, "%p of %zu bytes is not live", block->start, block->size);
    add(argument, block->start);
    return true;
}

static void look(void) {
    struct sum expected = {0}, walked = {0};
    for (const struct block *one = live; one < live + LIVE; one++) {
        if (one->start == NULL) continue;
        expect_content(one, "a live block");
        add(&expected, one->start);
    }
    HAK_EXPECT_EQ(hak_walk(add_walked, &walked, NULL), 0);
    HAK_EXPECT_EQ(walked.blocks, expected.blocks);
    HAK_EXPECT_EQ(walked.starts, expected.starts);
    STRUCTURES_EXPECT_SOUND();
}

static void step(void) {
    struct block *const block = &live[below(LIVE)];
    switch (below(8)) {
    case 0: scribble_over_freed(); break;
    case 1: scribble_at_border(); break;
    case 2: fill_freed(); break;
    default:
        if (block->start == NULL) {
            allocate(block);
        } else if (below(6) == 0) {
            resize(block);
        } else {
            release(block);
        }
    }
}

static void run(unsigned seed) {
    const unsigned failures = harness_failure_count();
    random_state = random_mix(seed) | 1;
    for (unsigned i = 1; i <= STEPS && harness_failure_count() == failures; i++) {
        step();
        if (i % LOOK_EVERY == 0) look();
    }
    for (struct block *one = live; one < live + LIVE; one++) {
        if (one->start != NULL) release(one);
    }
    look();
    if (harness_failure_count() != failures) harness_fail(__FILE__, __LINE__, "... by seed %u", seed);
}

/* Nothing goes back to the system, so that what was freed can be written. */
HAK_TEST_ISOLATED(Hostile, WritesGainNothing, "HAKMEM_PURGE_DELAY_MS=-1 HAKMEM_ON_MISUSE=report") {
    const char *const wanted = getenv("HAK_HOSTILE_SEEDS"), *const from = getenv("HAK_HOSTILE_FIRST");
    const unsigned seeds = wanted != NULL ? (unsigned)strtoul(wanted, NULL, 10) : SEEDS;
    const unsigned first = from != NULL ? (unsigned)strtoul(from, NULL, 10) : 1;
    for (unsigned seed = first; seed < first + seeds; seed++) HAK_EXPECT_EXIT_OK(run(seed));
}
