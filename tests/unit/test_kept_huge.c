/* SPDX-License-Identifier: MIT */
/* For which mappings of large blocks huge pages are asked, by the number of calls, and that these begin at one. */
#include "hakmem/base/config.h"
#include "hakmem/base/options.h"
#include "hakmem/os/fake/fake.h"
#include "hakmem/os/os.h"
#include "hakmem/process/begin.h"
#include "hakmem/region/kept.h"
#include "tests/harness/harness.h"

#define CHUNK ((size_t)HAK_CHUNK_BYTES)
#define HUGE ((size_t)OS_HUGE_PAGE_BYTES)

static unsigned calls_of_mapping(enum hak_thp thp, size_t size, size_t alignment, void **start) {
    bool zeroed;
    const enum hak_thp before = hak_options.thp;
    hak_kept_purge(UINT64_MAX);
    hak_options.thp = thp;
    os_fake_reset();
    os_fake_fail_only(OS_FAKE_HUGE_PAGES);
    HAK_EXPECT_EQ(hak_kept_alloc(size, alignment, start, &zeroed), 0);
    const unsigned calls = os_fake_calls();
    os_fake_reset();
    hak_options.thp = before;
    HAK_EXPECT(zeroed);
    HAK_EXPECT_EQ(hak_os_unmap(*start, size), 0);
    return calls;
}

HAK_TEST_ISOLATED(KeptHuge, AreAskedForFromOneHugePageOnWhereTheOptionSays, "HAKMEM_THP=never") {
    void *start;
    hak_process_begin();
    HAK_EXPECT_EQ(calls_of_mapping(HAK_THP_NEVER, 2 * HUGE, CHUNK, &start), 0);
    HAK_EXPECT_EQ(calls_of_mapping(HAK_THP_MADVISE, HUGE - CHUNK, CHUNK, &start), 0);
    for (unsigned i = 0; i < 4; i++) {
        HAK_EXPECT_EQ(calls_of_mapping(HAK_THP_MADVISE, HUGE + i * CHUNK, CHUNK, &start), 1);
        HAK_EXPECT_EQ((uintptr_t)start % HUGE, 0);
        HAK_EXPECT_EQ(calls_of_mapping(HAK_THP_MADVISE, 2 * HUGE, 2 * HUGE, &start), 1);
        HAK_EXPECT_EQ((uintptr_t)start % (2 * HUGE), 0);
    }
}
