/* SPDX-License-Identifier: MIT */
/* Pages as large as what huge blocks are aligned to, as some kernels for arm64 have. The allocator is told of such: where it maps and
 * unmaps multiples of them, the kernel finds multiples of its own. */
#include "hakmem/base/config.h"
#include "hakmem/hakmem.h"
#include "hakmem/os/os.h"
#include "hakmem/region/place.h"
#include "tests/harness/harness.h"

#define MIB ((size_t)1 << 20)

size_t __wrap_hak_os_page_size(void);
size_t __wrap_hak_os_page_size(void) { return HAK_CHUNK_BYTES; }

HAK_TEST_ISOLATED(LargePages, HugeBlocksLieApartFromRecords, "") {
    void *blocks[8];
    for (unsigned i = 0; i < 8; i++) blocks[i] = hak_alloc(4 * MIB);
    const uintptr_t end = hak_place_blocks_end();
    if (end == 0) HAK_SKIP("the system places nothing at random, or a sanitizer does");
    for (unsigned i = 0; i < 8; i++) {
        HAK_EXPECT_LT((uintptr_t)blocks[i], end);
        HAK_EXPECT_GE((uintptr_t)blocks[i], end - 64 * MIB);
        hak_free(blocks[i]);
    }
}
