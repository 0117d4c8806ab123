/* What guard full makes inaccessible: what lies behind slabs and large blocks, free large blocks, and pages around hakmem's own
 * data; all features on. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "hakmem/base/random.h"
#include "hakmem/guard/clear.h"
#include "hakmem/hakmem.h"
#include "hakmem/os/os.h"
#include "hakmem/region/page_map.h"
#include "hakmem/region/region.h"
#include "hakmem/shadow/shadow.h"
#include "hakmem/size_class/size_class.h"
#include "hakmem/slab/slab.h"
#include "tests/harness/harness.h"
#include "tests/unit/guard_sizes.h"

static void touch(volatile char *p) { *p = 1; }

/* Without a fault: the kernel says whether it can read there. */
static bool is_readable(const volatile char *p) {
    int ends[2];
    char byte;
    HAK_EXPECT(pipe(ends) == 0);
    const bool readable = write(ends[1], (const void *)p, 1) == 1;
    if (readable) {
        HAK_EXPECT(read(ends[0], &byte, 1) == 1);
    } else {
        HAK_EXPECT_EQ(errno, EFAULT);
    }
    close(ends[0]);
    close(ends[1]);
    return readable;
}

/* Behind the slab that p lies in. */
static volatile char *behind_slab(const char *p) {
    struct hak_owner_info info;
    HAK_EXPECT(hak_owner(p, &info));
    const struct hak_class *constants = &hak_classes[info.class_index];
    return (volatile char *)slab_of(p)->base + (size_t)constants->chunks * HAK_CHUNK_BYTES;
}

HAK_TEST(Pages, NobodyTouchesWhatLiesBehindASlabOrAHugeBlock) {
    for (unsigned i = 0; i < SIZE_COUNT; i++) {
        char *p = (char *)hak_alloc(sizes[i]);
        if (sizes[i] > HAK_L25_MAX) {
            HAK_EXPECT_DEATH(touch(p + (sizes[i] + HAK_CHUNK_BYTES) / HAK_CHUNK_BYTES * HAK_CHUNK_BYTES), "");
        } else {
            HAK_EXPECT_DEATH(touch(behind_slab(p)), "");
            HAK_EXPECT_DEATH(touch(behind_slab(p) + HAK_CHUNK_BYTES - 1), "");
        }
        hak_free(p);
    }
}

HAK_TEST(Pages, LargeBlocksAreInaccessibleWhileTheyAreFree) {
    for (unsigned i = 0; i < SIZE_COUNT; i++) {
        if (sizes[i] < GUARD_LARGE_BYTES) continue;
        char *p = (char *)hak_alloc(sizes[i]);
        memset(p, 1, sizes[i]);
        hak_free(p);
        HAK_EXPECT_DEATH(touch(p), "");
        HAK_EXPECT_DEATH(touch(p + sizes[i] - 1), "");
    }
}

/* Chunks of locked blocks come again as slabs of other classes. */
HAK_TEST(Pages, ChunksAreAccessibleAndThoseBehindAreNotWhateverTheyWereBefore) {
    enum { BLOCKS = 64 };
    uint64_t random = 11;
    char *blocks[BLOCKS] = {NULL};
    for (unsigned round = 0; round < (unsigned)HAK_TEST_SCALE(3000); round++) {
        char **place = &blocks[random_xorshift64(&random) % BLOCKS];
        hak_free(*place);
        const size_t size = sizes[random_xorshift64(&random) % (SIZE_COUNT - 1)];
        *place = (char *)hak_alloc(size);
        HAK_ASSERT_TRUE(*place != NULL);
        for (size_t k = 0; k < size; k += 4096) (*place)[k] = 1;
        (*place)[size - 1] = 1;
        HAK_ASSERT_TRUE(!is_readable(behind_slab(*place)));
        HAK_ASSERT_TRUE(!is_readable(behind_slab(*place) + HAK_CHUNK_BYTES - 1));
        if (round % 512 == 0) hak_trim();
    }
    for (unsigned i = 0; i < BLOCKS; i++) hak_free(blocks[i]);
}

HAK_TEST(Metadata, NobodyTouchesWhatLiesBetweenARegionsHeaderAndItsBlocks) {
    char *p = (char *)hak_alloc(100);
    char *first_block = (char *)region_chunk_address(region_of(p), REGION_CHUNK_FIRST);
    HAK_EXPECT_DEATH(touch(first_block - 1), "");
    hak_free(p);
}

/* Of a table that lies at any address: the last byte that the page before can have, and the first of the page behind. */
static void expect_inaccessible_around(const void *table, size_t size) {
    const uintptr_t page = os_page_size(), start = (uintptr_t)table, end = start + size;
    HAK_EXPECT(!is_readable((const char *)(start / page * page - 1)));
    HAK_EXPECT(is_readable((const char *)(start / page * page)));
    HAK_EXPECT(is_readable((const char *)((end - 1) / page * page)));
    HAK_EXPECT(!is_readable((const char *)((end + page - 1) / page * page)));
}

HAK_TEST(Metadata, NobodyTouchesWhatLiesAroundTheFlatTables) {
    if (hak_page_map.mask == 0 || hak_shadow.limit == 0) HAK_SKIP("there is no room for them");
    expect_inaccessible_around(hak_page_map.classes, hak_page_map.mask + 1);
    expect_inaccessible_around(hak_shadow.classes, hak_shadow.limit);
}
