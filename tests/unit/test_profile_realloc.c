/* SPDX-License-Identifier: MIT */
/* A realloc that fails, or that the system does not help with, as the profile and its hooks see it: a block that stays as it was is
 * sampled as it was. */
#include <errno.h>
#include <stdint.h>

#include "hakmem/hakmem.h"
#include "hakmem/os/fake/fake.h"
#include "hakmem/sample/profile.h"
#include "tests/harness/harness.h"
#include "tests/unit/profile_sum.h"

#define MIB ((size_t)1 << 20)
#define MAPPED (40 * MIB) /* a mapping, and never chunks of a region */

static const size_t sizes[] = {40, 5000, 100000, 2 * MIB, MAPPED};
/* The last one in the system's eyes alone. */
static const size_t impossible[] = {SIZE_MAX, PTRDIFF_MAX, PTRDIFF_MAX / 2};

/* What is known of a block that alone is of its site. */
static void expect_sampled(const void *p, const void *site, const struct sum *before) {
    const struct sum now = sum_of(site);
    HAK_EXPECT_EQ(hak_profile_live_count(), 1);
    HAK_EXPECT_EQ(now.samples, before->samples);
    HAK_EXPECT_EQ(now.live_samples, 1);
    HAK_EXPECT_EQ(now.asked, before->asked);
    HAK_EXPECT_PTR_EQ(hak_profile_site_of(p), site);
}

static void *realloc_to(void *p, volatile size_t size) { return hak_realloc(p, size); }

HAK_TEST(ProfileRealloc, FailureKeepsTheSampleOfTheBlock) {
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (unsigned k = 0; k < sizeof impossible / sizeof *impossible; k++) {
            void *p = hak_alloc_at(sizes[i], SITE(i));
            const struct sum before = sum_of(SITE(i));
            errno = 0;
            HAK_EXPECT_PTR_EQ(realloc_to(p, impossible[k]), NULL);
            HAK_EXPECT_EQ(errno, ENOMEM);
            expect_sampled(p, SITE(i), &before);
            hak_free(p);
            HAK_EXPECT_EQ(hak_profile_live_count(), 0);
            HAK_EXPECT_EQ(sum_of(SITE(i)).live_samples, 0);
        }
    }
    hak_profile_stop();
}

static void refuse(unsigned kinds) {
    (void)hak_trim(); /* or what an earlier case freed would do */
    os_fake_reset();
    os_fake_fail_only(kinds);
    os_fake_fail_from(1);
}

/* A block that is not moved is copied, and else stays. */
HAK_TEST(ProfileRealloc, SystemThatDoesNotMovePagesChangesNoCount) {
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    void *p = hak_alloc_at(MAPPED, SITE(10));
    const struct sum before = sum_of(SITE(10)), all = sum_of(NULL);
    refuse(OS_FAKE_REMAP | OS_FAKE_MAP);
    HAK_EXPECT_PTR_EQ(hak_realloc(p, 2 * MAPPED), NULL);
    HAK_EXPECT_GT(os_fake_calls(), 1);
    os_fake_reset();
    expect_sampled(p, SITE(10), &before);
    HAK_EXPECT_EQ(sum_of(NULL).samples, all.samples);
    refuse(OS_FAKE_REMAP);
    void *q = hak_realloc(p, 2 * MAPPED);
    HAK_EXPECT_EQ(os_fake_calls(), 1);
    os_fake_reset();
    HAK_ASSERT_TRUE(q != NULL);
    HAK_EXPECT_EQ(hak_profile_live_count(), 1);
    HAK_EXPECT_EQ(sum_of(SITE(10)).live_samples, 0);
    HAK_EXPECT_EQ(sum_of(NULL).samples, all.samples + 1);
    hak_free(q);
    HAK_EXPECT_EQ(hak_profile_live_count(), 0);
    hak_profile_stop();
}

static const void *moving; /* the block */
static unsigned looked;

/* Another thread may be given the address as soon as the pages have moved. */
static void look_while_it_moves(void) {
    HAK_EXPECT_PTR_EQ(hak_profile_site_of(moving), NULL);
    HAK_EXPECT_EQ(hak_profile_live_count(), 1);
    HAK_EXPECT_EQ(sum_of(SITE(11)).live_samples, 1);
    looked++;
}

HAK_TEST(ProfileRealloc, AddressIsNobodysWhileItsPagesMove) {
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    void *p = hak_alloc_at(MAPPED, SITE(11));
    moving = p;
    os_fake_within(OS_FAKE_REMAP, look_while_it_moves);
    p = hak_realloc(p, 2 * MAPPED);
    HAK_ASSERT_TRUE(p != NULL);
    HAK_EXPECT_EQ(looked, 1);
    HAK_EXPECT_EQ(hak_profile_live_count(), 1);
    HAK_EXPECT_EQ(sum_of(SITE(11)).live_samples, 0);
    HAK_EXPECT(hak_profile_site_of(p) != NULL);
    hak_free(p);
    HAK_EXPECT_EQ(hak_profile_live_count(), 0);
    os_fake_reset();
    hak_profile_stop();
}

/* What the hooks were told of the block of one site. */
struct told {
    unsigned sampled, freed;
};

/* In turns: a program that keeps a table of the blocks adds none twice. */
static void note_sampled(const struct hak_profile_sample *sample, void *argument) {
    struct told *told = (struct told *)argument;
    if (sample->site != SITE(12)) return;
    HAK_EXPECT_EQ(told->sampled, told->freed);
    told->sampled++;
}

static void note_freed(const struct hak_profile_sample *sample, void *argument) {
    struct told *told = (struct told *)argument;
    if (sample->site != SITE(12)) return;
    HAK_EXPECT_EQ(told->sampled, told->freed + 1);
    told->freed++;
}

HAK_TEST(ProfileRealloc, HooksKnowABlockThatStaysAsLive) {
    struct told told = {0, 0};
    const struct hak_profile_hooks hooks = {.sampled = note_sampled, .freed = note_freed, .argument = &told};
    HAK_ASSERT_TRUE(hak_profile_start(1) == 0);
    HAK_ASSERT_TRUE(hak_profile_set_hooks(&hooks) == 0);
    void *p = hak_alloc_at(MAPPED, SITE(12));
    HAK_EXPECT_PTR_EQ(realloc_to(p, SIZE_MAX), NULL);
    HAK_EXPECT_PTR_EQ(realloc_to(p, PTRDIFF_MAX), NULL);
    HAK_EXPECT_EQ(told.freed, 0);
    HAK_EXPECT_EQ(told.sampled, 1);
    HAK_EXPECT_PTR_EQ(realloc_to(p, PTRDIFF_MAX / 2), NULL);
    HAK_EXPECT_EQ(told.sampled, told.freed + 1);
    refuse(OS_FAKE_REMAP | OS_FAKE_MAP);
    HAK_EXPECT_PTR_EQ(hak_realloc(p, 2 * MAPPED), NULL);
    os_fake_reset();
    HAK_EXPECT_EQ(told.sampled, told.freed + 1);
    hak_free(p);
    HAK_EXPECT_EQ(told.sampled, told.freed);
    HAK_ASSERT_TRUE(hak_profile_set_hooks(NULL) == 0);
    hak_profile_stop();
}
