/* SPDX-License-Identifier: MIT */
/* A process whose addresses have fewer bits than the build allows for, as on arm64 kernels of 39 and 42 bits: where blocks
 * lie, what the tables take, and what becomes of pointers beyond. The fake says 39. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "hakmem/flags/guard.h"
#include "hakmem/hakmem.h"
#include "hakmem/os/fake/fake.h"
#include "hakmem/os/os.h"
#include "hakmem/region/page_map.h"
#include "hakmem/region/region.h"
#include "hakmem/shadow/shadow.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"

#define BITS 39

extern const unsigned os_fake_address_bits;
const unsigned os_fake_address_bits = BITS;

#define BLOCKS 2000

/* Of every pool, and huge ones. */
static size_t size_of(unsigned i) {
    return i % 50 == 0 ? (size_t)3 << 20 : (size_t)(i * 977u) % (i % 5 == 0 ? 90000u : 900u);
}

static void use_every_pool(void) {
    static char *blocks[BLOCKS];
    for (unsigned i = 0; i < BLOCKS; i++) {
        const size_t size = size_of(i);
        blocks[i] = hak_alloc(size);
        HAK_ASSERT_TRUE(blocks[i] != NULL);
        memset(blocks[i], (int)i, size < 4096 ? size : 4096);
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
        const size_t size = size_of(i);
        HAK_EXPECT(size == 0 || blocks[i][0] == (char)i);
        HAK_EXPECT_LE(size, hak_usable_size(blocks[i]));
        hak_free(blocks[i]);
    }
    CENSUS_EXPECT_CONSISTENT();
    HAK_EXPECT_EQ(census_live_blocks(), 0);
}

HAK_TEST(AddressBits, AllThatIsPlacedLiesBelow) {
    if (HAK_THREAD_SANITIZER || HAK_ADDRESS_SANITIZER) HAK_SKIP("the sanitizer places what is mapped");
    if (!hak_os_places_vary()) HAK_SKIP("the kernel places nothing at random here");
    void *const small = hak_alloc(100), *const huge = hak_alloc((size_t)5 << 20);
    HAK_EXPECT_EQ((uintptr_t)small >> BITS, 0);
    HAK_EXPECT_EQ((uintptr_t)huge >> BITS, 0);
    hak_free(small);
    hak_free(huge);
    use_every_pool();
}

HAK_TEST(AddressBits, TheShadowIsOfThatSize) {
    if (!HAK_GUARD_EXACT) HAK_SKIP("there is no shadow");
    if (HAK_THREAD_SANITIZER || HAK_ADDRESS_SANITIZER) HAK_SKIP("the sanitizer places what is mapped");
    HAK_EXPECT_EQ(hak_shadow.limit, (uintptr_t)1 << (BITS - SHADOW_SHIFT));
}

HAK_TEST(AddressBits, ARegionBeyondTheShadowIsRefused) {
    if (!HAK_GUARD_EXACT || hak_shadow.limit == 0) HAK_SKIP("there is no flat shadow");
    struct shadow_region *const beyond = (struct shadow_region *)(((uintptr_t)1 << BITS) + HAK_REGION_WALL_BYTES);
    HAK_EXPECT_EQ(hak_shadow_add_region(beyond, false), EEXIST);
}

/* It is nobody's, and says so where its page would not be there. */
HAK_TEST(AddressBits, AForeignPointerBeyondIsReported) {
    HAK_EXPECT_DEATH(
        {
            hak_free((void *)((uintptr_t)3 << BITS));
            hak_trim();
        },
        "foreign pointer");
}

/* A mapping of our own behind the shadow's end, among what else lies there; NULL: there is no room near it. */
static void *map_behind_the_shadow(void) {
    const uintptr_t end = (uintptr_t)hak_shadow.classes + hak_shadow.limit;
    uintptr_t at = (end + 4 * OS_HUGE_PAGE_BYTES) & ~(uintptr_t)(OS_HUGE_PAGE_BYTES - 1);
    for (unsigned i = 0; i < 8192; i++, at += 8 * OS_HUGE_PAGE_BYTES) {
        if (hak_os_map_at((void *)at, OS_HUGE_PAGE_BYTES) == 0) return (void *)at;
    }
    return NULL;
}

/* All of the shadow goes, and nothing behind its end, which is another's. */
HAK_TEST_ISOLATED(AddressBits, GivingWayUnmapsTheTableAndNoMore, "") {
    if (!HAK_GUARD_EXACT || hak_shadow.limit == 0) HAK_SKIP("there is no flat shadow");
    if (HAK_THREAD_SANITIZER || HAK_ADDRESS_SANITIZER) HAK_SKIP("the sanitizer places what is mapped");
    HAK_ASSERT_TRUE(hak_alloc(100) != NULL);
    void *const others = map_behind_the_shadow();
    if (others == NULL) HAK_SKIP("there is no room");
    /* The entries of addresses near the end, where nothing is placed. */
    void *const unused = (void *)(((uintptr_t)hak_shadow.classes + hak_shadow.limit - 8 * OS_HUGE_PAGE_BYTES) &
                                  ~(uintptr_t)(OS_HUGE_PAGE_BYTES - 1));
    HAK_EXPECT_EQ(hak_os_map_at(unused, OS_HUGE_PAGE_BYTES), EEXIST);
    HAK_ASSERT_TRUE(hak_region_give_way());
    HAK_EXPECT(!page_map_is_flat());
    HAK_EXPECT_EQ(hak_os_map_at(unused, OS_HUGE_PAGE_BYTES), 0);
    HAK_EXPECT_EQ(hak_os_map_at(others, OS_HUGE_PAGE_BYTES), EEXIST);
    hak_free(hak_alloc(100));
}

#if defined(__aarch64__)
#define HAS_TAGS true
#else
#define HAS_TAGS false
#endif

static void *tagged(void *p) { return (void *)((uintptr_t)p | (uintptr_t)0xb4 << 56); }

/* A tag that came back from a later call would end in a system call, which refuses it. */
HAK_TEST(AddressBits, ATagIsDropped) {
    static const size_t sizes[] = {24, 3000, 50000, (size_t)3 << 20};
    if (!HAS_TAGS) HAK_SKIP("the processor takes all bits of a pointer for the address");
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct hak_owner_info info;
        char *p = hak_alloc(sizes[i]);
        HAK_EXPECT_EQ(hak_usable_size(tagged(p)), hak_usable_size(p));
        HAK_EXPECT(hak_owner(tagged(p), &info));
        HAK_EXPECT_PTR_EQ(info.block, p);
        HAK_EXPECT_PTR_EQ(hak_realloc(tagged(p), sizes[i]), p);
        hak_free(tagged(p));
        p = hak_alloc(sizes[i]);
        HAK_EXPECT_EQ((uintptr_t)p >> HAK_ADDRESS_BITS, 0);
        hak_free_sized(tagged(p), sizes[i]);
    }
    /* More than magazines hold, so that slabs get them. */
    static char *blocks[BLOCKS];
    for (unsigned i = 0; i < BLOCKS; i++) blocks[i] = hak_alloc(48);
    for (unsigned i = 0; i < BLOCKS; i++) hak_free(tagged(blocks[i]));
    hak_thread_flush();
    for (unsigned i = 0; i < BLOCKS; i++) {
        blocks[i] = hak_alloc(48);
        HAK_EXPECT_EQ((uintptr_t)blocks[i] >> HAK_ADDRESS_BITS, 0);
    }
    for (unsigned i = 0; i < BLOCKS; i++) hak_free(blocks[i]);
}
