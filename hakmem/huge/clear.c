/* SPDX-License-Identifier: MIT */
/* Clears a block for calloc; see hak_huge_clear. A program that allocates a large table by calloc, writes little of it and frees it
 * again gets the same mapping back, which is kept meanwhile: to write zeros to all of it would make all of it resident.
 *
 * So the block is cleared in pieces, each by what costs less: the piece is written where most of its pages are resident, and given
 * back to the system where they are not. The system tells which are. A process of one thread does not ask it, because the C
 * library's allocator never does, and the program's seccomp filter may forbid the call. There some pages of each piece are read:
 * a page that is not resident reads zero, and one that is hardly ever does, since the program wrote it. */
#include <string.h>

#include "hakmem/base/bits.h"
#include "hakmem/base/options.h"
#include "hakmem/huge/huge.h"
#include "hakmem/os/os.h"
#include "hakmem/space/units.h"

/* Pages of a piece, for which the system's answer fits a small stack. */
#define CLEAR_PAGES 512u

/* Pages that are read of a piece. What is told by so many is right within a tenth mostly, and what an error costs is small where
 * as much speaks for one way as for the other. A read of a page that is not resident costs a fifth of a write, and no page. Pages
 * that the program filled with zeros count as not resident, and cost it a page fault each. */
#define CLEAR_READ 16u

/* Whether at least three quarters of the pages are resident: writing zeros costs a third of a page fault a page, and makes the
 * rest resident. Where nobody can say, they are. */
static bool clear_is_dense(char *start, size_t bytes) {
    unsigned char pages[CLEAR_PAGES];
    const size_t count = bytes / hak_os_page_size();
    size_t resident = 0;
    if (hak_os_resident(start, bytes, pages) != 0) {
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        resident += pages[i] & 1u;
    }
    return 4 * resident >= 3 * count;
}

static bool clear_reads_zero(const char *page, size_t bytes) {
    return page[0] == 0 && memcmp(page, page + 1, bytes - 1) == 0;
}

/* Whether at least three quarters of the pages that are read hold anything. One lies in each CLEAR_READ-th part of the piece, and
 * in each at another place, since programs write to every so many-th page. */
static bool clear_reads_dense(const char *start, size_t bytes) {
    const size_t page = hak_os_page_size(), count = bytes / page;
    const size_t part = (count + CLEAR_READ - 1) / CLEAR_READ, parts = (count + part - 1) / part;
    size_t zero = 0;
    for (size_t i = 0; i < parts && 4 * zero <= parts; i++) {
        const size_t at = i * part + i * 11 % part;
        zero += clear_reads_zero(start + (at < count ? at : count - 1) * page, page);
    }
    return 4 * zero <= parts;
}

/* The system may refuse, as with locked memory. */
static void clear_by_purge(char *start, size_t bytes, bool by_mapping) {
    if (bytes != 0 && (by_mapping ? hak_os_purge_by_mapping(start, bytes) : hak_os_purge(start, bytes)) != 0) {
        memset(start, 0, bytes);
    }
}

void hak_huge_clear(void *p, size_t bytes, bool may_ask, bool by_mapping) {
    /* A mapping that was to have huge pages is to keep that, and the process makes madvise in any case. */
    const bool maps = by_mapping && hak_options.thp != HAK_THP_MADVISE;
    char *sparse = p; /* from here to `at`: what is hardly resident */
    char *at = p;
    char *const end = at + bits_round_up(bytes, hak_os_page_size());
    if (hak_units_is_region(p)) { /* chunks that were taken because they are resident */
        memset(at, 0, (size_t)(end - at));
        return;
    }
    while (at < end) {
        const size_t most = CLEAR_PAGES * hak_os_page_size();
        const size_t piece = (size_t)(end - at) < most ? (size_t)(end - at) : most;
        if (may_ask ? clear_is_dense(at, piece) : clear_reads_dense(at, piece)) {
            clear_by_purge(sparse, (size_t)(at - sparse), maps);
            memset(at, 0, piece);
            sparse = at + piece;
        }
        at += piece;
    }
    clear_by_purge(sparse, (size_t)(at - sparse), maps);
}
