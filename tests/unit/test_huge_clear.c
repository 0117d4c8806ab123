/* SPDX-License-Identifier: MIT */
/* Clearing a huge block: what is resident is written, what hardly is goes back to the system, by pieces of 512 pages. What is
 * resident is what the test says, so that the border between the two is exact; where the system is not to be asked, pages that
 * are not read zero. */
#include <errno.h>
#include <string.h>

#include "hakmem/base/config.h"
#include "hakmem/base/random.h"
#include "hakmem/huge/huge.h"
#include "hakmem/os/os.h"
#include "hakmem/process/begin.h"
#include "hakmem/region/kept.h"
#include "tests/harness/harness.h"

#define PIECE_PAGES 512u
#define MOST_PIECES 8u
#define UNKNOWN UINT32_MAX

static char *block;
static uint32_t resident[MOST_PIECES]; /* pages of that piece; UNKNOWN: the system does not say */
static bool is_told, refuses_purge;
static bool may_ask = true, by_mapping;
static unsigned purges, advised, asked; /* of the purges, those by advice */
static size_t purge_first[MOST_PIECES], purge_pages[MOST_PIECES];

int __real_hak_os_resident(void *start, size_t size, unsigned char *pages);
int __wrap_hak_os_resident(void *start, size_t size, unsigned char *pages);
int __real_hak_os_purge(void *start, size_t size);
int __wrap_hak_os_purge(void *start, size_t size);
int __real_hak_os_purge_by_mapping(void *start, size_t size);
int __wrap_hak_os_purge_by_mapping(void *start, size_t size);

int __wrap_hak_os_resident(void *start, size_t size, unsigned char *pages) {
    const size_t page = hak_os_page_size(), piece = (size_t)((char *)start - block) / page / PIECE_PAGES;
    if (!is_told) return __real_hak_os_resident(start, size, pages);
    asked++;
    HAK_EXPECT_EQ((size_t)((char *)start - block) % (PIECE_PAGES * page), 0);
    if (resident[piece] == UNKNOWN) return EPERM;
    /* Of each byte only the lowest bit is the answer. */
    for (size_t i = 0; i < size / page; i++) pages[i] = (unsigned char)(0xAA | (i < resident[piece]));
    return 0;
}

static void note_purge(void *start, size_t size) {
    if (purges < MOST_PIECES) {
        purge_first[purges] = (size_t)((char *)start - block) / hak_os_page_size();
        purge_pages[purges] = size / hak_os_page_size();
    }
    purges++;
}

int __wrap_hak_os_purge(void *start, size_t size) {
    if (!is_told) return __real_hak_os_purge(start, size);
    note_purge(start, size);
    advised++;
    return refuses_purge ? EPERM : __real_hak_os_purge(start, size);
}

int __wrap_hak_os_purge_by_mapping(void *start, size_t size) {
    if (!is_told) return __real_hak_os_purge_by_mapping(start, size);
    note_purge(start, size);
    return refuses_purge ? EAGAIN : __real_hak_os_purge_by_mapping(start, size);
}

static bool is_filled_with(const char *start, size_t size, char value) {
    for (size_t i = 0; i < size; i++) {
        if (start[i] != value) return false;
    }
    return true;
}

/* Clears so many bytes of a block that is written all over, but for what `leave` makes zero of them. */
static void clear_left(size_t bytes, void (*leave)(size_t pages)) {
    const size_t page = hak_os_page_size(), size = MOST_PIECES * PIECE_PAGES * page;
    const size_t cleared = (bytes + page - 1) / page * page;
    bool zeroed;
    hak_process_begin();
    hak_kept_purge(UINT64_MAX);
    block = (char *)hak_huge_alloc(size, 1, &zeroed);
    HAK_ASSERT_TRUE(block != NULL);
    memset(block, 7, size);
    leave(cleared / page);
    purges = advised = asked = 0;
    is_told = true;
    hak_huge_clear(block, bytes, may_ask, by_mapping);
    is_told = false;
    HAK_EXPECT(is_filled_with(block, cleared, 0));
    HAK_EXPECT(is_filled_with(block + cleared, size - cleared, 7));
    HAK_EXPECT(hak_huge_free(block));
}

static void leave_none(size_t pages) { (void)pages; }

static void clear(size_t bytes) { clear_left(bytes, leave_none); }

/* What is not `resident`. */
static void leave_rest(size_t pages) {
    const size_t page = hak_os_page_size();
    for (size_t at = 0; at < pages; at++) {
        if (at % PIECE_PAGES >= resident[at / PIECE_PAGES]) memset(block + at * page, 0, page);
    }
}

static void expect_purge(unsigned which, size_t first, size_t pages) {
    HAK_EXPECT_LT(which, purges);
    HAK_EXPECT_EQ(purge_first[which], first);
    HAK_EXPECT_EQ(purge_pages[which], pages);
}

#define KEEP "HAKMEM_PURGE_DELAY_MS=-1"

HAK_TEST_ISOLATED(HugeClear, ThreeQuartersResidentIsWritten, KEEP) {
    const uint32_t told[] = {384, 383, 0, 512, 384, 382, 200};
    const size_t page = 4096;
    hak_process_begin();
    if (hak_os_page_size() != page) HAK_SKIP("the figures are of pages of 4 KiB");
    memcpy(resident, told, sizeof told);
    clear(6 * PIECE_PAGES * page + 100 * page);
    HAK_EXPECT_EQ(purges, 2);
    expect_purge(0, PIECE_PAGES, 2 * PIECE_PAGES);
    expect_purge(1, 5 * PIECE_PAGES, PIECE_PAGES);
}

/* Of the last piece it is three quarters of the pages that are to be cleared. */
HAK_TEST_ISOLATED(HugeClear, PartOfAPieceIsLookedAtAlone, KEEP) {
    hak_process_begin();
    const size_t page = hak_os_page_size();
    resident[0] = 74;
    clear(100 * page);
    HAK_EXPECT_EQ(purges, 1);
    expect_purge(0, 0, 100);
    resident[0] = 75;
    clear(99 * page + 1);
    HAK_EXPECT_EQ(purges, 0);
}

HAK_TEST_ISOLATED(HugeClear, WhereNobodyKnowsItIsWritten, KEEP) {
    hak_process_begin();
    resident[0] = UNKNOWN;
    resident[1] = 0;
    clear(2 * PIECE_PAGES * hak_os_page_size());
    HAK_EXPECT_EQ(purges, 1);
    expect_purge(0, PIECE_PAGES, PIECE_PAGES);
}

HAK_TEST_ISOLATED(HugeClear, WhatTheSystemDoesNotTakeIsWritten, KEEP) {
    hak_process_begin();
    refuses_purge = true;
    resident[0] = 512;
    clear(3 * PIECE_PAGES * hak_os_page_size());
    HAK_EXPECT_EQ(purges, 1);
    expect_purge(0, PIECE_PAGES, 2 * PIECE_PAGES);
}

/* ---- Where the system is not to be asked ---- */

static void expect_read(bool maps) {
    const uint32_t told[] = {384, 352, 0, 512, 384, 352, 200};
    const size_t page = hak_os_page_size();
    may_ask = false;
    by_mapping = maps;
    memcpy(resident, told, sizeof told);
    clear_left(6 * PIECE_PAGES * page + 100 * page, leave_rest);
    HAK_EXPECT_EQ(asked, 0);
    HAK_EXPECT_EQ(purges, 2);
    HAK_EXPECT_EQ(advised, maps ? 0 : 2);
    expect_purge(0, PIECE_PAGES, 2 * PIECE_PAGES);
    expect_purge(1, 5 * PIECE_PAGES, PIECE_PAGES);
}

HAK_TEST_ISOLATED(HugeClear, UnaskedPagesAreReadAndGoBackByMapping, KEEP) { expect_read(true); }

HAK_TEST_ISOLATED(HugeClear, UnaskedPagesAreReadAndGoBackByAdviceInAChild, KEEP) { expect_read(false); }

HAK_TEST_ISOLATED(HugeClear, OfFewPagesEachIsRead, KEEP) {
    may_ask = false;
    by_mapping = true;
    for (uint32_t written = 7; written <= 8; written++) {
        resident[0] = written;
        clear_left(10 * hak_os_page_size(), leave_rest);
        HAK_EXPECT_EQ(purges, written < 8 ? 1 : 0);
    }
}

static size_t rhythm;

static void leave_between(size_t pages) {
    const size_t page = hak_os_page_size();
    for (size_t at = 0; at < pages; at++) {
        if (at % rhythm != 0) memset(block + at * page, 0, page);
    }
}

HAK_TEST_ISOLATED(HugeClear, EverySoManyPagesAreLittle, KEEP) {
    may_ask = false;
    by_mapping = true;
    const size_t rhythms[] = {2, 3, 4, 8, 11, 16, 32, 64};
    for (unsigned i = 0; i < sizeof rhythms / sizeof rhythms[0]; i++) {
        rhythm = rhythms[i];
        clear_left(2 * PIECE_PAGES * hak_os_page_size(), leave_between);
        HAK_EXPECT_EQ(purges, 1);
        expect_purge(0, 0, 2 * PIECE_PAGES);
    }
}

static void leave_last_bytes(size_t pages) {
    const size_t page = hak_os_page_size();
    for (size_t at = 0; at < pages; at++) memset(block + at * page, 0, page - 1);
}

HAK_TEST_ISOLATED(HugeClear, OneByteOfAPageIsEnough, KEEP) {
    may_ask = false;
    clear_left(2 * PIECE_PAGES * hak_os_page_size(), leave_last_bytes);
    HAK_EXPECT_EQ(purges, 0);
}

HAK_TEST_ISOLATED(HugeClear, WhatIsNotMappedAnewIsWritten, KEEP) {
    may_ask = false;
    by_mapping = refuses_purge = true;
    resident[0] = 512;
    clear_left(3 * PIECE_PAGES * hak_os_page_size(), leave_rest);
    HAK_EXPECT_EQ(purges, 1);
    expect_purge(0, PIECE_PAGES, 2 * PIECE_PAGES);
}

HAK_TEST_ISOLATED(HugeClear, WhatWasAdvisedIsNotMappedAnew, KEEP " HAKMEM_THP=madvise") {
    may_ask = false;
    by_mapping = true;
    clear_left(2 * PIECE_PAGES * hak_os_page_size(), leave_rest);
    HAK_EXPECT_EQ(purges, 1);
    HAK_EXPECT_EQ(advised, 1);
}

/* ---- Against a model: which pages are read, and what follows from them ---- */

static uint64_t random_state = 11;
static bool is_zero[MOST_PIECES * PIECE_PAGES];

static unsigned below(unsigned bound) { return (unsigned)(random_xorshift64(&random_state) % bound); }

/* Each piece has a share of zero pages of its own. Any other page holds one byte that is not 0, or has every second byte 0. */
static void leave_random(size_t pages) {
    const size_t page = hak_os_page_size();
    unsigned percent = 0;
    for (size_t at = 0; at < pages; at++) {
        char *const start = block + at * page;
        if (at % PIECE_PAGES == 0) percent = 10 + below(30);
        is_zero[at] = below(100) < percent;
        const unsigned kind = is_zero[at] ? 0 : 1 + below(2);
        if (kind < 2) memset(start, 0, page);
        if (kind == 1) start[below((unsigned)page)] = 1;
        for (size_t i = 0; kind == 2 && i < page; i += 2) start[i] = 0;
    }
}

/* Of `count` pages from `first` on, one is read in each sixteenth, at another place in each. All are cleared by writing if at most a
 * quarter of those that were read are zero. */
static bool is_written(size_t first, size_t count) {
    const size_t part = (count + 15) / 16;
    size_t zero = 0, parts = 0;
    for (size_t start = 0; start < count; start += part, parts++) {
        const size_t at = start + parts * 11 % part;
        zero += is_zero[first + (at < count ? at : count - 1)];
    }
    return 4 * zero <= parts;
}

HAK_TEST_ISOLATED(HugeClear, WhatIsReadDecidesOfEachPiece, KEEP) {
    const size_t page = 4096;
    unsigned written = 0, purged = 0;
    hak_process_begin();
    if (hak_os_page_size() != page) HAK_SKIP("the figures are of pages of 4 KiB");
    may_ask = false;
    by_mapping = true;
    for (unsigned round = 0; round < 24 && harness_failure_count() == 0; round++) {
        const size_t last = 1 + below(round % 2 == 0 ? 40 : PIECE_PAGES),
                     pages = (MOST_PIECES - 1) * PIECE_PAGES + last;
        unsigned runs = 0;
        size_t run = 0; /* pages that go back, right before `at` */
        clear_left(pages * page, leave_random);
        for (size_t at = 0; at <= pages; at += PIECE_PAGES) {
            const size_t count = pages - at < PIECE_PAGES ? pages - at : PIECE_PAGES;
            const bool is_run = count > 0 && !is_written(at, count);
            if (!is_run && run > 0) expect_purge(runs++, at - run, run);
            run = is_run ? run + PIECE_PAGES : 0;
            purged += is_run;
            written += !is_run;
        }
        if (run > 0) expect_purge(runs++, (MOST_PIECES * PIECE_PAGES) - run, run - PIECE_PAGES + last);
        HAK_EXPECT_EQ(purges, runs);
    }
    HAK_EXPECT(purged > 40 && written > 40);
}
