/* SPDX-License-Identifier: MIT */
/* A walk passes what lives, whatever it reads in a magazine that another thread changes meanwhile: the linker sends the magazines of one
 * class through this file, full of what no magazine has. */
#include <string.h>

#include "hakmem/flags/guard.h"
#include "hakmem/hakmem.h"
#include "hakmem/magazine/reading.h"
#include "hakmem/region/region.h"
#include "hakmem/size_class/size_class.h"
#include "hakmem/slab/slab.h"
#include "tests/harness/harness.h"

#define SIZE ((size_t)48)
#define BLOCKS 6000u /* some slabs are full */
#define STRANGE_MOST 8u

static void *slots[MAGAZINE_SLOTS] __attribute__((aligned(MAGAZINE_BYTES)));
static unsigned strange_class; /* 0: none */

bool __real_hak_reading_magazines(struct hak_thread *thread, unsigned class_index, struct reading_magazines *out);
bool __wrap_hak_reading_magazines(struct hak_thread *thread, unsigned class_index, struct reading_magazines *out);

bool __wrap_hak_reading_magazines(struct hak_thread *thread, unsigned class_index, struct reading_magazines *out) {
    const bool has_thread = __real_hak_reading_magazines(thread, class_index, out);
    if (class_index == strange_class) {
        out->loaded = &slots[MAGAZINE_SLOTS];
        out->loaded_unused = 0;
    }
    return has_thread;
}

static char *blocks[BLOCKS];

struct found {
    unsigned count, others;
};

static bool find(const struct hak_walk_block *block, void *argument) {
    struct found *found = (struct found *)argument;
    unsigned here = 0;
    for (unsigned i = 0; i < BLOCKS && here == 0; i++) here += block->start == blocks[i];
    found->count += here;
    found->others += here == 0;
    return true;
}

static struct found walk(void) {
    struct found found = {0, 0};
    HAK_EXPECT_EQ(hak_walk(find, &found, NULL), 0);
    return found;
}

static void fill_slots(void *const *strange, unsigned count) {
    for (unsigned i = 0; i < MAGAZINE_SLOTS; i++) slots[i] = strange[i % count];
}

HAK_TEST_ISOLATED(WalkStrange, WhatNoMagazineHasHidesNothing, "HAKMEM_PURGE_DELAY_MS=-1") {
    if (HAK_GUARD_EXACT) HAK_SKIP("no magazine is looked at");
    char *const huge = (char *)hak_alloc((size_t)3 << 20);
    int local = 0;
    for (unsigned i = 0; i < BLOCKS; i++) HAK_ASSERT_TRUE((blocks[i] = (char *)hak_alloc(SIZE)) != NULL);
    const struct found before = walk();
    HAK_EXPECT_EQ(before.count, BLOCKS);
    HAK_EXPECT_EQ(before.others, 1);
    const unsigned class_index = size_class_of(SIZE);
    const struct hak_class *const constants = &hak_classes[class_index];
    struct region *const region = region_of(blocks[0]);
    char *const slab = (char *)slab_base(slab_of(blocks[0])), *const end = slab + constants->chunks * HAK_CHUNK_BYTES;
    char *const rest = slab + (size_t)constants->blocks * constants->block_size;
    void *const strange[STRANGE_MOST] = {
        NULL,
        &local,
        huge,
        huge + 4096,
        region,
        (char *)region_chunk_address(region, REGION_CHUNK_FIRST) - 16,
        rest < end ? rest : NULL, /* behind the last block */
        (char *)region_chunk_address(region, HAK_REGION_CHUNKS - 1) + SIZE,
    };
    strange_class = class_index;
    for (unsigned i = 0; i <= STRANGE_MOST; i++) {
        if (i < STRANGE_MOST) fill_slots(&strange[i], 1);
        if (i == STRANGE_MOST) fill_slots(strange, STRANGE_MOST);
        const struct found found = walk();
        /* What the thread's own magazine has is found, since it was not read. */
        HAK_EXPECT_EQ(found.count, BLOCKS);
        HAK_EXPECT_LE(found.others, 1 + constants->magazine);
    }
    /* A block that it does have is free. */
    void *const last = blocks[BLOCKS / 2];
    fill_slots(&last, 1);
    HAK_EXPECT_EQ(walk().count, BLOCKS - 1);
    strange_class = 0;
    for (unsigned i = 0; i < BLOCKS; i++) hak_free(blocks[i]);
    hak_free(huge);
}
