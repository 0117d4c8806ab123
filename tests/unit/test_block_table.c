/* SPDX-License-Identifier: MIT */
/* The table of blocks beside an array: random starts that come and go, by seed, in a table that is half full again and again, so that
 * runs of entries meet and go round its end. */
#include "hakmem/base/random.h"
#include "hakmem/os/os.h"
#include "hakmem/region/block_table.h"
#include "tests/harness/harness.h"

#define MOST 700u

static struct block_table table;
static uintptr_t starts[MOST];
static unsigned count;
static uint64_t random_state;

static unsigned below(unsigned bound) { return (unsigned)(random_xorshift64(&random_state) % bound); }

static bool is_known(uintptr_t start) {
    unsigned i = 0;
    while (i < count && starts[i] != start) i++;
    return i < count;
}

/* Chunks side by side, as the kernel places mappings. */
static uintptr_t any_start(void) { return ((uintptr_t)0x7f0000 + below(4096)) << 16; }

static void add(void) {
    const uintptr_t start = any_start();
    const size_t capacity = table.capacity;
    if (is_known(start)) return;
    HAK_EXPECT_EQ(hak_block_table_reserve(&table), 0);
    const size_t least = capacity == 0 ? hak_os_page_size() / sizeof *table.entries : capacity;
    HAK_EXPECT_EQ(table.capacity, capacity != 0 && 2 * (count + 1) > capacity ? 2 * capacity : least);
    HAK_EXPECT_EQ(table.used, count);
    hak_block_table_insert(&table,
                           (struct block_entry){.start = start, .size = start >> 16, .reused = start >> 16 & 1});
    starts[count++] = start;
}

static void remove_one(void) {
    const unsigned at = below(count);
    struct block_entry *const found = hak_block_table_find(&table, (void *)starts[at]);
    HAK_ASSERT_TRUE(found != NULL);
    hak_block_table_remove(&table, found);
    starts[at] = starts[--count];
}

static void expect_alike(void) {
    size_t used = 0;
    for (size_t i = 0; i < table.capacity; i++) used += table.entries[i].start != 0;
    HAK_EXPECT_EQ(table.used, count);
    HAK_EXPECT_EQ(used, count);
    for (unsigned i = 0; i < count; i++) {
        const struct block_entry *const found = hak_block_table_find(&table, (void *)starts[i]);
        HAK_ASSERT_TRUE(found != NULL);
        HAK_EXPECT(found->start == starts[i] && found->size == starts[i] >> 16);
        HAK_EXPECT_EQ(found->reused, starts[i] >> 16 & 1);
    }
    const uintptr_t other = any_start();
    if (!is_known(other)) HAK_EXPECT_PTR_EQ(hak_block_table_find(&table, (void *)other), NULL);
    HAK_EXPECT_PTR_EQ(hak_block_table_find(&table, NULL), NULL);
}

HAK_TEST_ISOLATED(BlockTable, HoldsWhatWasEntered, "") {
    random_state = random_mix(3);
    expect_alike(); /* before the first */
    for (unsigned most = 8; most <= MOST && harness_failure_count() == 0; most += most / 2) {
        for (unsigned step = 0; step < 600 && harness_failure_count() == 0; step++) {
            if (count == 0 || (count < most && below(2) == 0)) {
                add();
            } else {
                remove_one();
            }
            if (step % 4 == 0) expect_alike();
        }
        while (count < most && count < MOST) add();
        expect_alike();
    }
}
