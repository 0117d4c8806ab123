/* SPDX-License-Identifier: MIT */
/* Guard full clears a large block: every byte of it and none beside, whatever of it is resident; and asks whether there is swap only
 * where that could matter. What a block is looked at for when it is given out again. What the system says of pages, and what it takes,
 * the test says. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "hakmem/guard/block.h"
#include "hakmem/guard/clear.h"
#include "hakmem/os/os.h"
#include "hakmem/process/begin.h"
#include "tests/harness/harness.h"

#define PAGES 1100u /* more than two looks at what is resident */

static bool is_told, has_swap;
static unsigned swap_looks;

bool __real_hak_os_has_swap(void);
bool __wrap_hak_os_has_swap(void);

bool __wrap_hak_os_has_swap(void) {
    if (!is_told) return __real_hak_os_has_swap();
    swap_looks++;
    return has_swap;
}

static unsigned char *memory;
static size_t page;
static size_t hidden_first, hidden_count; /* pages that the system says are not resident */
static bool refuses_resident, refuses_purge;

int __real_hak_os_resident(void *start, size_t size, unsigned char *pages);
int __wrap_hak_os_resident(void *start, size_t size, unsigned char *pages);
int __real_hak_os_purge(void *start, size_t size);
int __wrap_hak_os_purge(void *start, size_t size);

int __wrap_hak_os_resident(void *start, size_t size, unsigned char *pages) {
    if (is_told && refuses_resident) return ENOMEM;
    const int error = __real_hak_os_resident(start, size, pages);
    for (size_t i = 0; is_told && i < size / page; i++) {
        const size_t at = (size_t)((unsigned char *)start - memory) / page + i;
        if (at - hidden_first < hidden_count) pages[i] = 0;
    }
    return error;
}

int __wrap_hak_os_purge(void *start, size_t size) {
    return is_told && refuses_purge ? ENOMEM : __real_hak_os_purge(start, size);
}

/* Written all over. */
static void begin(void) {
    hak_process_begin();
    page = hak_os_page_size();
    memory = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    HAK_EXPECT(memory != MAP_FAILED);
    HAK_EXPECT_EQ(madvise(memory, PAGES * page, MADV_NOHUGEPAGE), 0);
    memset(memory, 0xEE, PAGES * page);
    is_told = true;
    swap_looks = 0;
}

static void end(void) {
    is_told = false;
    HAK_EXPECT_EQ(munmap(memory, PAGES * page), 0);
}

/* The first `count` bytes are all that. */
static bool all_are(const unsigned char *bytes, size_t count, unsigned char value) {
    return count == 0 || (bytes[0] == value && memcmp(bytes, bytes + 1, count - 1) == 0);
}

static void expect_cleared(size_t from, size_t bytes) {
    memset(memory, 0xEE, PAGES * page);
    HAK_EXPECT(hak_guard_clear_large(memory + from, bytes)); /* all of it is resident */
    HAK_EXPECT(all_are(memory, from, 0xEE));
    HAK_EXPECT(all_are(memory + from, bytes, 0));
    HAK_EXPECT(all_are(memory + from + bytes, PAGES * page - from - bytes, 0xEE));
}

HAK_TEST(GuardClear, EveryByteOfTheBlockAndNoneBeside) {
    begin();
    const size_t from[] = {0, 1, page - 1, page, page + 16},
                 bytes[] = {2 * page, 2 * page + 1, 512 * page - 1, 513 * page, 1024 * page + 8};
    for (unsigned i = 0; i < 5; i++) {
        for (unsigned k = 0; k < 5; k++) expect_cleared(from[i], bytes[k]);
    }
    HAK_EXPECT_EQ(swap_looks, 0); /* what is resident was not swapped out */
    end();
}

/* Pages that nobody wrote since they were given back stay so. Those that may have been swapped out are given back. */
static void expect_holes_left(bool swap) {
    struct os_counters before, after;
    begin();
    has_swap = swap;
    HAK_EXPECT_EQ(madvise(memory + 3 * page, 2 * page, MADV_DONTNEED), 0);
    HAK_EXPECT_EQ(madvise(memory + 8 * page, page, MADV_DONTNEED), 0);
    hak_os_counters_get(&before);
    HAK_EXPECT(!hak_guard_clear_large(memory, 20 * page));
    hak_os_counters_get(&after);
    HAK_EXPECT_EQ(after.purges - before.purges, swap ? 2 : 0);
    HAK_EXPECT_EQ(swap_looks, 1);
    unsigned char resident[20];
    HAK_EXPECT_EQ(hak_os_resident(memory, 20 * page, resident), 0);
    for (unsigned i = 0; i < 20; i++) HAK_EXPECT_EQ(resident[i] & 1, i != 3 && i != 4 && i != 8);
    HAK_EXPECT(all_are(memory, 20 * page, 0));
    end();
}

HAK_TEST(GuardClear, WhatIsNotResidentStaysSo) {
    expect_holes_left(false);
    expect_holes_left(true);
}

/* Pages that are not resident may have been swapped out, where there is swap: these go back, or are cleared where the system does not take
 * them. Without swap they read zero by themselves, and are left. */
static void expect_swapped(bool swap, bool refuses, unsigned char left) {
    begin();
    has_swap = swap;
    refuses_purge = refuses;
    hidden_first = 5;
    hidden_count = 2;
    HAK_EXPECT(!hak_guard_clear_large(memory, 20 * page));
    hidden_count = 0;
    refuses_purge = false;
    HAK_EXPECT(all_are(memory, 5 * page, 0));
    HAK_EXPECT(all_are(memory + 5 * page, 2 * page, left));
    HAK_EXPECT(all_are(memory + 7 * page, 13 * page, 0));
    HAK_EXPECT(all_are(memory + 20 * page, (PAGES - 20) * page, 0xEE));
    end();
}

HAK_TEST(GuardClear, WhatMayBeSwappedOutIsCleared) {
    expect_swapped(false, false, 0xEE);
    expect_swapped(true, false, 0);
    expect_swapped(true, true, 0);
}

/* Where the system does not say what is resident, all of it counts as such. */
HAK_TEST(GuardClear, WhatIsNotKnownIsCleared) {
    begin();
    refuses_resident = true;
    HAK_EXPECT(hak_guard_clear_large(memory, 600 * page));
    refuses_resident = false;
    HAK_EXPECT(all_are(memory, 600 * page, 0));
    HAK_EXPECT_EQ(swap_looks, 0);
    end();
}

/* Whether a block of so many bytes is found written if that byte is. */
static bool finds(size_t bytes, size_t at, bool fresh) {
    memory[at] = 1;
    const enum guard_give given = hak_guard_block_give(memory, bytes, bytes, fresh);
    const bool is_clear = memory[at] == 0;
    memory[at] = 0;
    HAK_EXPECT_EQ(given == GUARD_GIVEN_WRITTEN, is_clear); /* and it is clear then */
    HAK_EXPECT(given != GUARD_NOT_GIVEN);
    return given == GUARD_GIVEN_WRITTEN;
}

/* All of a block is looked at, but for those of half a MiB and more, whose ends are; and of a new one above L2 not what is not
 * resident. */
HAK_TEST_ISOLATED(GuardClear, ABlockIsLookedAtBeforeItIsGivenOut, "HAKMEM_GUARD=check") {
    begin();
    has_swap = true; /* what is found written is cleared */
    memset(memory, 0, PAGES * page);
    const size_t bytes[] = {HAK_L2_MAX, HAK_L2_MAX + 16, GUARD_LARGE_BYTES - 16, GUARD_LARGE_BYTES,
                            GUARD_LARGE_BYTES + 64};
    for (unsigned i = 0; i < 5; i++) {
        const bool is_large = bytes[i] >= GUARD_LARGE_BYTES;
        for (unsigned fresh = 0; fresh < 2; fresh++) {
            HAK_EXPECT_EQ(hak_guard_block_give(memory, bytes[i], bytes[i], fresh != 0), GUARD_GIVEN);
            HAK_EXPECT(finds(bytes[i], 0, fresh != 0));
            HAK_EXPECT(finds(bytes[i], 4095, fresh != 0));
            HAK_EXPECT_EQ(finds(bytes[i], 4096, fresh != 0), !is_large);
            HAK_EXPECT_EQ(finds(bytes[i], bytes[i] / 2, fresh != 0), !is_large);
            HAK_EXPECT_EQ(finds(bytes[i], bytes[i] - 4097, fresh != 0), !is_large);
            HAK_EXPECT(finds(bytes[i], bytes[i] - 4096, fresh != 0));
            HAK_EXPECT(finds(bytes[i], bytes[i] - 1, fresh != 0));
            HAK_EXPECT(!finds(bytes[i], bytes[i], fresh != 0));
        }
    }
    hidden_first = 2;
    hidden_count = 1;
    const size_t medium = HAK_L2_MAX + 16;
    HAK_EXPECT(!finds(medium, 2 * page, true));
    HAK_EXPECT(!finds(medium, 3 * page - 1, true));
    HAK_EXPECT(finds(medium, 2 * page - 1, true));
    HAK_EXPECT(finds(medium, 3 * page, true));
    HAK_EXPECT(finds(medium, 2 * page, false));
    HAK_EXPECT(finds(HAK_L2_MAX, 2 * page, true));
    refuses_resident = true;
    HAK_EXPECT(finds(medium, 2 * page, true));
    refuses_resident = false;
    hidden_count = 0;
    end();
}

/* A block that is given back is cleared whole; whether all of it is resident is known afterwards. */
HAK_TEST_ISOLATED(GuardClear, ABlockIsClearedWhenItIsGivenBack, "HAKMEM_GUARD=zero") {
    const size_t bytes[] = {64, HAK_L2_MAX, HAK_L2_MAX + 16, GUARD_LARGE_BYTES + 64};
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned known = 0; known < 2; known++) {
            bool resident = known != 0;
            begin();
            hidden_first = 1;
            hidden_count = 1;
            hak_guard_block_take(memory, bytes[i], &resident);
            hidden_count = 0;
            /* What may not be resident, and is of a block above L2, is not looked at. */
            const bool is_left = known == 0 && bytes[i] > HAK_L2_MAX;
            HAK_EXPECT_EQ(resident, known != 0);
            for (size_t at = 0; at < bytes[i]; at += 16) {
                const bool is_hidden = is_left && at / page == 1;
                if ((memory[at] == 0) == is_hidden) harness_fail(__FILE__, __LINE__, "byte %zu of %zu", at, bytes[i]);
            }
            HAK_EXPECT_EQ(memory[bytes[i]], 0xEE);
            end();
        }
    }
}
