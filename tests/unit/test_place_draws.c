/* SPDX-License-Identifier: MIT */
/* Where regions, huge blocks and records are placed, and how many chunks a region skips, follows from bytes of the kernel by ChaCha of
 * 20 rounds. Here the bytes are the test's, so that each place is known. */
#include <stdlib.h>
#include <string.h>

#include "hakmem/base/compiler.h"
#include "hakmem/base/config.h"
#include "hakmem/guard/chacha.h"
#include "hakmem/os/os.h"
#include "hakmem/process/begin.h"
#include "hakmem/region/place.h"
#include "hakmem/region/region.h"
#include "tests/harness/harness.h"

#define DRAWS 3u
#define NOTHING_VARIES "HAK_TEST_NOTHING_VARIES"

static const uint32_t bytes_of_the_kernel[4] = {0x12345678, 0x9abcdef0, 0x0fedcba9, 0x87654321};

static struct {
    unsigned calls;
    uintptr_t regions_end, blocks_end, records_end;
} placed;

void __wrap_hak_os_process_random(uint32_t out[4]);
bool __wrap_hak_os_places_vary(void);
void __real_hak_os_place(uintptr_t regions_end, uintptr_t blocks_end, uintptr_t records_end);
void __wrap_hak_os_place(uintptr_t regions_end, uintptr_t blocks_end, uintptr_t records_end);

void __wrap_hak_os_process_random(uint32_t out[4]) { memcpy(out, bytes_of_the_kernel, sizeof bytes_of_the_kernel); }

bool __wrap_hak_os_places_vary(void) { return getenv(NOTHING_VARIES) == NULL; }

void __wrap_hak_os_place(uintptr_t regions_end, uintptr_t blocks_end, uintptr_t records_end) {
    placed.calls++;
    placed.regions_end = regions_end;
    placed.blocks_end = blocks_end;
    placed.records_end = records_end;
    __real_hak_os_place(regions_end, blocks_end, records_end);
}

/* The key is the kernel's bytes and 0; the nonce begins with the draw's number. */
static void draw(uint32_t number, uint64_t drawn[DRAWS]) {
    const uint32_t nonce[CHACHA_NONCE_WORDS] = {number, 0x63616c70, 0};
    uint32_t key[CHACHA_KEY_WORDS] = {0};
    chacha_lanes blocks[CHACHA_WORDS];
    memcpy(key, bytes_of_the_kernel, sizeof bytes_of_the_kernel);
    hak_chacha_blocks(key, nonce, 20, blocks);
    memcpy(drawn, blocks, DRAWS * sizeof *drawn);
}

/* From a sixteenth of the address space on, over 19 32nds of it. */
static uint64_t place_of(uint64_t drawn, uint64_t unit) {
    const uint64_t thirtysecond = (uint64_t)1 << (hak_os_address_bits() - 5);
    return 2 * thirtysecond + drawn % (19 * thirtysecond / unit) * unit;
}

HAK_TEST_ISOLATED(PlaceDraws, EachPlaceFollowsFromTheKernelsBytes, "") {
    uint64_t drawn[DRAWS];
    if (HAK_THREAD_SANITIZER || HAK_ADDRESS_SANITIZER) HAK_SKIP("the sanitizer knows which addresses may be used");
    hak_process_begin();
    draw(0, drawn);
    HAK_EXPECT_EQ(placed.calls, 1);
    HAK_EXPECT_EQ(placed.regions_end, place_of(drawn[0], HAK_REGION_BYTES));
    HAK_EXPECT_EQ(placed.blocks_end, place_of(drawn[1], HAK_CHUNK_BYTES));
    HAK_EXPECT_EQ(placed.records_end, place_of(drawn[2], hak_os_page_size()));
    HAK_EXPECT_EQ(hak_place_blocks_end(), placed.blocks_end);
}

/* Each region has a draw of its own. */
HAK_TEST_ISOLATED(PlaceDraws, SoDoesWhatIsSkipped, "HAKMEM_THP=never HAKMEM_PURGE_DELAY_MS=-1") {
    struct span span;
    uint64_t drawn[DRAWS];
    uint32_t number = 0;
    if (HAK_THREAD_SANITIZER || HAK_ADDRESS_SANITIZER) HAK_SKIP("the sanitizer knows which addresses may be used");
    hak_process_begin();
    HAK_ASSERT_TRUE(hak_region_count_now() == 0);
    draw(++number, drawn);
    HAK_ASSERT_TRUE(hak_region_span_alloc(1, 7, &span) == 0);
    HAK_EXPECT_EQ(span.region->skipped, drawn[0] % (PLACE_SKIP_MOST + 1));
    for (unsigned i = 0; i < 3000; i++) {
        draw(++number, drawn);
        HAK_EXPECT_EQ(hak_place_skip(), drawn[0] % (PLACE_SKIP_MOST + 1));
    }
    hak_region_span_free(span.region, span.first, span.count);
}

HAK_TEST_ISOLATED(PlaceDraws, NothingIsPlacedWhereTheKernelPlacesNothingAtRandom, NOTHING_VARIES "=1") {
    hak_process_begin();
    HAK_EXPECT_EQ(placed.calls, 0);
    HAK_EXPECT_EQ(hak_place_blocks_end(), 0);
    for (unsigned i = 0; i < 3; i++) HAK_EXPECT_EQ(hak_place_skip(), 0);
}
