/* SPDX-License-Identifier: MIT */
/* Clears a block for calloc; see hak_huge_clear. A program that allocates a large table by calloc, writes little of it and frees it
 * again gets the same mapping back, which is kept meanwhile: to write zeros to all of it would make all of it resident. */
#include <string.h>

#include "hakmem/base/bits.h"
#include "hakmem/huge/huge.h"
#include "hakmem/os/os.h"
#include "hakmem/space/units.h"

/* Pages of one look, whose answer fits a small stack. */
#define CLEAR_PAGES 512u

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

/* The system may refuse, as with locked memory. */
static void clear_by_purge(char *start, size_t bytes) {
    if (bytes != 0 && hak_os_purge(start, bytes) != 0) {
        memset(start, 0, bytes);
    }
}

void hak_huge_clear(void *p, size_t bytes) {
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
        if (clear_is_dense(at, piece)) {
            clear_by_purge(sparse, (size_t)(at - sparse));
            memset(at, 0, piece);
            sparse = at + piece;
        }
        at += piece;
    }
    clear_by_purge(sparse, (size_t)(at - sparse));
}
