/* SPDX-License-Identifier: MIT */
/* Guard full clears a large block: every byte of it and none beside, whatever of it is resident; and asks whether there is swap only
 * where that could matter. */
#include <string.h>
#include <sys/mman.h>

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
