/* SPDX-License-Identifier: MIT */
/* What guard full makes inaccessible: what lies behind slabs and large blocks, free large blocks, and pages around hakmem's own
 * data; all features on. */
#include <fcntl.h>
#include <stdint.h>
#include <string.h>

#include "hakmem/base/random.h"
#include "hakmem/flags/debug.h"
#include "hakmem/guard/block.h"
#include "hakmem/guard/clear.h"
#include "hakmem/guard/metadata.h"
#include "hakmem/guard/pages.h"
#include "hakmem/hakmem.h"
#include "hakmem/os/fake/fake.h"
#include "hakmem/os/os.h"
#include "hakmem/process/begin.h"
#include "hakmem/region/page_map.h"
#include "hakmem/region/region.h"
#include "hakmem/shadow/shadow.h"
#include "hakmem/size_class/size_class.h"
#include "hakmem/slab/slab.h"
#include "tests/harness/harness.h"
#include "tests/unit/guard_readable.h"
#include "tests/unit/guard_sizes.h"

static void touch(volatile char *p) { *p = 1; }

/* Behind the slab that p lies in. */
static volatile char *behind_slab(const char *p) {
    struct hak_owner_info info;
    HAK_EXPECT(hak_owner(p, &info));
    const struct hak_class *constants = &hak_classes[info.class_index];
    return (volatile char *)slab_base(slab_of(p)) + (size_t)constants->chunks * HAK_CHUNK_BYTES;
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

static void expect_inaccessible_once_free(size_t size) {
    char *p = (char *)hak_alloc(size);
    memset(p, 1, size);
    hak_free(p);
    HAK_EXPECT_DEATH(touch(p), "");
    HAK_EXPECT_DEATH(touch(p + size - 1), "");
}

HAK_TEST(Pages, LargeBlocksAreInaccessibleWhileTheyAreFree) {
    expect_inaccessible_once_free(GUARD_LARGE_BYTES - 8); /* with its canary the least of them */
    for (unsigned i = 0; i < SIZE_COUNT; i++) {
        if (sizes[i] >= GUARD_LARGE_BYTES) expect_inaccessible_once_free(sizes[i]);
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

HAK_TEST(Pages, TheChunkBehindASlabIsNobodys) {
    for (unsigned i = 0; i < SIZE_COUNT - 1; i++) {
        char *p = (char *)hak_alloc(sizes[i]);
        struct hak_owner_info info;
        const void *behind = (const void *)behind_slab(p);
        HAK_EXPECT_EQ(hak_region_chunk_class(behind), 0);
        HAK_EXPECT(!hak_owner(behind, &info));
        HAK_EXPECT_DEATH(hak_free((void *)behind), "free");
        hak_free(p);
    }
}

/* The chunks that a refused call leaves behind are taken for nothing: all is asked for again. */
HAK_TEST(Pages, AfterARefusalNothingIsTakenForKnown) {
    const unsigned class_index = 4;
    struct span span;
    hak_process_begin();
    HAK_EXPECT_EQ(hak_region_span_alloc(1, class_index, &span), 0);
    char *slab = (char *)region_chunk_address(span.region, span.first);
    HAK_EXPECT_EQ(hak_pages_protect_slab(slab, 1, HAK_CHUNK_BYTES), 0);
    os_fake_reset();
    os_fake_fail_only(OS_FAKE_MAKE_INACCESSIBLE);
    os_fake_fail_at(1);
    HAK_EXPECT_EQ(hak_pages_protect_slab(slab, 1, HAK_CHUNK_BYTES / 2), 0);
    HAK_EXPECT_EQ(os_fake_calls(), 1);
    os_fake_reset();
    HAK_EXPECT_EQ(hak_pages_protect_slab(slab, 1, HAK_CHUNK_BYTES / 2), 0);
    HAK_EXPECT(is_readable(slab + HAK_CHUNK_BYTES / 2 - 1));
    HAK_EXPECT(!is_readable(slab + HAK_CHUNK_BYTES / 2));
    HAK_EXPECT(!is_readable(slab + HAK_CHUNK_BYTES));
    os_fake_reset();
    os_fake_fail_only(OS_FAKE_MAKE_WRITABLE);
    os_fake_fail_at(1);
    HAK_EXPECT_NE(hak_pages_protect_slab(slab, 1, HAK_CHUNK_BYTES), 0);
    HAK_EXPECT_EQ(os_fake_calls(), 1);
    os_fake_reset();
    HAK_EXPECT_EQ(hak_pages_protect_slab(slab, 1, HAK_CHUNK_BYTES), 0);
    HAK_EXPECT(is_readable(slab + HAK_CHUNK_BYTES - 1));
    HAK_EXPECT(!is_readable(slab + HAK_CHUNK_BYTES));
    hak_region_span_free(span.region, span.first, 1);
}

/* Debug builds: a block that is live anywhere in a range that goes back is found, and none beside it. */
HAK_TEST(Pages, NoLiveBlockLiesInWhatGoesBack) {
    const size_t within[] = {0, 112, 128, HAK_CHUNK_BYTES / 2, HAK_CHUNK_BYTES - 16};
    struct span span;
    if (!HAK_DEBUG) HAK_SKIP("no assertions");
    hak_process_begin();
    HAK_ASSERT_TRUE(hak_region_span_alloc(3, 1, &span) == 0);
    char *const start = (char *)region_chunk_address(span.region, span.first) + HAK_CHUNK_BYTES;
    for (unsigned i = 0; i < sizeof within / sizeof within[0]; i++) {
        shadow_set(start + within[i], 1);
        HAK_EXPECT_DEATH(hak_shadow_assert_dead(start, HAK_CHUNK_BYTES), "");
        shadow_set(start + within[i], 0);
    }
    shadow_set(start - 16, 1);
    shadow_set(start + HAK_CHUNK_BYTES, 1);
    hak_shadow_assert_dead(start, HAK_CHUNK_BYTES);
    shadow_set(start - 16, 0);
    shadow_set(start + HAK_CHUNK_BYTES, 0);
    hak_region_span_free(span.region, span.first, 3);
}

/* What is unmapped goes with the pages around it. */
HAK_TEST(Metadata, UnmapTakesTheMarginsToo) {
    struct os_counters before, after;
    void *start;
    hak_process_begin();
    const size_t page = hak_os_page_size(), size = 3 * page;
    hak_os_counters_get(&before);
    HAK_ASSERT_TRUE(hak_metadata_map(size, &start) == 0);
    memset(start, 1, size);
    HAK_EXPECT(!is_readable((char *)start - 1) && !is_readable((char *)start + size));
    HAK_EXPECT_EQ(hak_metadata_unmap(start, size), 0);
    hak_os_counters_get(&after);
    HAK_EXPECT_EQ(after.mapped_bytes, before.mapped_bytes);
    for (size_t at = 0; at < size + 2 * page; at += page) HAK_EXPECT(!is_mapped((char *)start - page + at));
}

/* A mapping that is refused leaves what was there. */
HAK_TEST(Metadata, ARefusedMappingIsNone) {
    void *const kept = (void *)(uintptr_t)16;
    void *out = kept;
    hak_process_begin();
    os_fake_reset();
    os_fake_fail_only(OS_FAKE_MAP | OS_FAKE_RESERVE);
    os_fake_fail_from(1);
    HAK_EXPECT_NE(hak_metadata_map(4096, &out), 0);
    HAK_EXPECT_PTR_EQ(out, kept);
    HAK_EXPECT_NE(hak_metadata_reserve(4096, &out), 0);
    HAK_EXPECT_PTR_EQ(out, kept);
    os_fake_reset();
}

/* Lines of /proc/self/maps. */
static size_t mappings(void) {
    static char text[1 << 16];
    const int file = open("/proc/self/maps", O_RDONLY);
    size_t lines = 0;
    for (ssize_t got; (got = read(file, text, sizeof text)) > 0;) {
        for (ssize_t i = 0; i < got; i++) lines += text[i] == '\n';
    }
    close(file);
    return lines;
}

HAK_TEST_ISOLATED(Pages, SlabsUseAShareOfTheMappingsAndThenGoWithout, "") {
    enum { SPANS_MOST = 60000, MORE = 500 };
    const unsigned class_index = 4;
    struct span span;
    hak_process_begin();
    const size_t before = mappings();
    const uint64_t most = hak_pages_places_most();
    HAK_EXPECT_EQ(most, hak_os_mappings_most() / 32);
    unsigned spans = 0, without = 0;
    for (unsigned more = 0; more < MORE && spans < SPANS_MOST; spans++) {
        HAK_ASSERT_TRUE(hak_region_span_alloc(1, class_index, &span) == 0);
        char *slab = (char *)region_chunk_address(span.region, span.first);
        const bool is_full = hak_pages_places() == most, is_half = hak_pages_places() >= most / 2;
        HAK_ASSERT_TRUE(hak_pages_protect_slab(slab, 1, HAK_CHUNK_BYTES) == 0);
        if (is_full || !is_half) HAK_ASSERT_TRUE(is_readable(slab + HAK_CHUNK_BYTES) == is_full);
        without += is_half && hak_pages_places() < most && is_readable(slab + HAK_CHUNK_BYTES);
        more += is_full;
    }
    HAK_EXPECT_EQ(hak_pages_places(), most);
    HAK_EXPECT_GT(without, most);
    /* Two each, and some a region for its header and in the tables. */
    HAK_EXPECT_LT(mappings() - before, 2 * most + (spans * 2 / HAK_REGION_CHUNKS + 2) * 10);
}

/* What is said once the share is used up goes to the file that standard error was at the start, for which no descriptor is kept. */
HAK_TEST_ISOLATED(Pages, StandardErrorIsNotedAndNotCopied, "HAKMEM_GUARD=pages") {
    hak_process_begin();
    const int own = dup(STDERR_FILENO), other = open("/dev/null", O_RDONLY);
    HAK_ASSERT_TRUE(own >= 0 && other >= 0);
    const int at_start = hak_os_error_kept();
    HAK_ASSERT_TRUE(dup2(other, STDERR_FILENO) == STDERR_FILENO);
    const int elsewhere = hak_os_error_kept();
    HAK_ASSERT_TRUE(dup2(own, STDERR_FILENO) == STDERR_FILENO);
    HAK_EXPECT_EQ(at_start, STDERR_FILENO);
    HAK_EXPECT_EQ(elsewhere, -1);
    close(own);
    close(other);
}

/* Huge blocks have as large a share of their own. */
HAK_TEST_ISOLATED(Pages, HugeBlocksUseAShareOfTheMappingsAndThenGoWithout, "") {
    void *memory;
    hak_process_begin();
    const uint64_t most = hak_pages_places_most();
    if (most > 100000) HAK_SKIP("the system lets a process have very many mappings");
    const size_t bytes = 2 * HAK_CHUNK_BYTES, behind = (size_t)pages_chunks_behind() * HAK_CHUNK_BYTES;
    HAK_ASSERT_TRUE(hak_os_map(bytes + behind, HAK_CHUNK_BYTES, &memory) == 0);
    char *const start = (char *)memory, *const end = start + bytes;
    for (uint64_t i = 0; i < most; i++) {
        hak_pages_protect_huge(start, bytes);
        if (i < 2 || i + 2 >= most)
            HAK_EXPECT(is_readable(end - 1) && !is_readable(end) && !is_readable(end + behind - 1));
        HAK_EXPECT_EQ(hak_os_make_writable(end, behind), 0);
    }
    hak_pages_protect_huge(start, bytes);
    HAK_EXPECT(is_readable(end));
    hak_pages_forget_huge();
    hak_pages_protect_huge(start, bytes); /* as many are there as before */
    HAK_EXPECT(is_readable(end));
    hak_pages_forget_huge();
    hak_pages_forget_huge();
    hak_pages_protect_huge(start, bytes);
    HAK_EXPECT(!is_readable(end));
    HAK_EXPECT_EQ(hak_os_unmap(memory, bytes + behind), 0);
}

/* A block that cannot be opened is not given out, and can be once it is. */
static void give_refused_block(char *p, size_t block_bytes) {
    os_fake_reset();
    os_fake_fail_only(OS_FAKE_MAKE_WRITABLE);
    os_fake_fail_at(1);
    HAK_EXPECT_EQ(hak_guard_block_give(p, block_bytes, 100, false), GUARD_NOT_GIVEN);
    HAK_EXPECT(!is_readable(p));
    HAK_EXPECT_EQ(hak_guard_block_give(p, block_bytes, 100, false), GUARD_GIVEN);
    HAK_EXPECT(is_readable(p) && is_readable(p + block_bytes - 1));
    os_fake_reset();
}

HAK_TEST_ISOLATED(Pages, ABlockThatCannotBeOpenedIsNotGivenOut, "") {
    struct hak_owner_info info;
    char *const p = (char *)hak_alloc(600000);
    HAK_ASSERT_TRUE(p != NULL && hak_owner(p, &info));
    hak_free(p);
    HAK_EXPECT_EXIT_OK(give_refused_block(p, info.block_size));
}

/* Of a chunk that is no place any more another can be made. */
HAK_TEST_ISOLATED(Pages, PlacesAreCountedAsTheyComeAndGo, "HAKMEM_GUARD=pages") {
    const unsigned class_index = 4;
    struct span span;
    hak_process_begin();
    HAK_EXPECT_EQ(hak_region_span_alloc(3, class_index, &span), 0);
    char *slab = (char *)region_chunk_address(span.region, span.first);
    const uint64_t before = hak_pages_places();
    HAK_EXPECT_EQ(hak_pages_protect_slab(slab, 1, HAK_CHUNK_BYTES), 0);
    HAK_EXPECT_EQ(hak_pages_protect_slab(slab, 1, HAK_CHUNK_BYTES), 0);
    HAK_EXPECT_EQ(hak_pages_protect_slab(slab + 2 * HAK_CHUNK_BYTES, 1, 4096), 0);
    HAK_EXPECT_EQ(hak_pages_places(), before + 2);
    HAK_EXPECT_EQ(hak_pages_protect_slab(slab, 3, 3 * HAK_CHUNK_BYTES), 0);
    HAK_EXPECT_EQ(hak_pages_places(), before + 1);
    os_fake_fail_only(OS_FAKE_MAKE_INACCESSIBLE);
    os_fake_fail_at(1);
    HAK_EXPECT_EQ(hak_pages_protect_slab(slab, 3, 2 * HAK_CHUNK_BYTES + 4096), 0);
    os_fake_reset();
    HAK_EXPECT_EQ(hak_pages_places(), before);
    HAK_EXPECT_EQ(hak_pages_protect_slab(slab, 3, 3 * HAK_CHUNK_BYTES), 0);
    hak_region_span_free(span.region, span.first, 3);
}

/* What was never touched need not be cleared, and does not become resident by it. */
HAK_TEST_ISOLATED(Pages, AFreeMakesNothingResident, "HAKMEM_THP=never") {
    for (unsigned i = 0; i < SIZE_COUNT; i++) {
        if (sizes[i] <= HAK_L2_MAX) continue;
        char *p = (char *)hak_alloc(sizes[i]);
        p[0] = 1;
        HAK_EXPECT_LE(resident_pages(p, sizes[i]), 3);
        hak_free(p);
        HAK_EXPECT_LE(resident_pages(p, sizes[i]), 3);
    }
}

HAK_TEST_ISOLATED(Metadata, TheFirstRecordsLieAloneAndLaterOnesTogether, "") {
    hak_process_begin();
    const size_t page = hak_os_page_size(), bytes = 3 * page;
    char *records[METADATA_ALONE + METADATA_TOGETHER + 1];
    const unsigned count = sizeof records / sizeof *records;
    for (unsigned i = 0; i < count; i++) {
        void *record;
        HAK_ASSERT_TRUE(hak_metadata_map_record(bytes, &record) == 0);
        records[i] = (char *)record;
        memset(record, (int)i, bytes);
    }
    for (unsigned i = 0; i < count; i++) {
        HAK_EXPECT(records[i][0] == (char)i && records[i][bytes - 1] == (char)i);
        const bool is_first = i < METADATA_ALONE || (i - METADATA_ALONE) % METADATA_TOGETHER == 0;
        const bool is_last = i < METADATA_ALONE || (i - METADATA_ALONE + 1) % METADATA_TOGETHER == 0;
        HAK_EXPECT(is_readable(records[i] - 1) == !is_first);
        HAK_EXPECT(is_readable(records[i] + bytes) == !is_last);
    }
}

HAK_TEST(Metadata, NobodyTouchesWhatLiesBetweenARegionsHeaderAndItsBlocks) {
    char *p = (char *)hak_alloc(100);
    char *first_block = (char *)region_chunk_address(region_of(p), REGION_CHUNK_FIRST);
    HAK_EXPECT_DEATH(touch(first_block - 1), "");
    hak_free(p);
}

/* Of a table that lies at any address: the last byte that the page before can have, and the first of the page behind. */
static void expect_inaccessible_around(const void *table, size_t size) {
    const uintptr_t page = hak_os_page_size(), start = (uintptr_t)table, end = start + size;
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
