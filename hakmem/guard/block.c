/* SPDX-License-Identifier: MIT */
/* See block.h.
 *
 * Of a block above L2, what is resident is cleared, and what is not given back, which leaves it as it is: a page that goes and
 * comes again costs tens of times what clearing it costs. The system is asked what is resident until all of it is, as it soon
 * is where the block is looked at whole.
 *
 * With `pages`, from GUARD_LARGE_BYTES on nobody can touch a block between its free and its next use, so there is nothing to
 * check then; without, its first and its last CHECK_ENDS_BYTES are looked at. Smaller ones are looked at whole. */
#include "hakmem/guard/block.h"

#include "hakmem/base/bits.h"
#include "hakmem/guard/pages.h"
#include "hakmem/os/os.h"

#define CHECK_ENDS_BYTES 4096

/* Pages that are asked about at once. */
#define ASKED_PAGES 512

/* What the whole pages of a range are: `resident`, a byte a page, of the next of them; none where the system does not say. */
struct block_pages {
    char *start;
    size_t count;
    bool known;
    unsigned char resident[ASKED_PAGES];
};

/* The first pages of start .. end. */
static void pages_ask(struct block_pages *pages, char *start, char *end) {
    const size_t page = hak_os_page_size();
    const size_t left = (size_t)(end - start) / page;
    pages->start = start;
    pages->count = left < ASKED_PAGES ? left : ASKED_PAGES;
    pages->known = hak_os_resident(start, pages->count * page, pages->resident) == 0;
}

/* Pages from `first` on that are resident as that one is, or not. */
static size_t pages_run(const struct block_pages *pages, size_t first, bool *resident) {
    size_t end = first + 1;
    *resident = !pages->known || (pages->resident[first] & 1) != 0;
    while (end < pages->count && (!pages->known || ((pages->resident[end] & 1) != 0) == *resident)) {
        end++;
    }
    return end - first;
}

/* Result: whether all of them are resident */
static bool pages_clear(const struct block_pages *pages) {
    const size_t page = hak_os_page_size();
    bool all = true, has_swap = false;
    for (size_t first = 0, count; first < pages->count; first += count) {
        bool resident;
        count = pages_run(pages, first, &resident);
        has_swap = !resident && all ? hak_os_has_swap() : has_swap;
        all &= resident;
        char *run = pages->start + first * page;
        /* What is not resident reads zero, or was swapped out. */
        if (resident || (has_swap && hak_os_purge(run, count * page) != 0)) {
            memset(run, 0, count * page);
        }
    }
    return all;
}

bool hak_guard_clear_large(void *p, size_t bytes) {
    const size_t page = hak_os_page_size();
    char *start = p, *end = start + bytes;
    char *first = (char *)bits_round_up((uintptr_t)start, page);
    char *last = (char *)((uintptr_t)end & ~(page - 1));
    bool all = true;
    memset(start, 0, (size_t)(first - start));
    memset(last, 0, (size_t)(end - last));
    while (first < last) {
        struct block_pages pages;
        pages_ask(&pages, first, last);
        all &= pages_clear(&pages);
        first += pages.count * page;
    }
    return all;
}

/* guard_reads_zero of what is resident: what is not was not written, or was swapped out since, which is not looked at. To read
 * it would make the system map it, a page at a time. pre: bytes <= ASKED_PAGES pages, and p at a page */
static bool block_resident_reads_zero(const void *p, size_t bytes) {
    const size_t page = hak_os_page_size();
    struct block_pages pages;
    bool zero = true;
    pages_ask(&pages, (char *)p, (char *)p + bytes);
    for (size_t first = 0, count; first < pages.count; first += count) {
        bool resident;
        count = pages_run(&pages, first, &resident);
        zero &= !resident || guard_reads_zero(pages.start + first * page, count * page);
    }
    const size_t rest = bytes % page;
    return zero && (rest == 0 || guard_reads_zero((const char *)p + bytes - rest, rest));
}

/* Whether a free block reads zero; of a large one, its ends do. */
static bool block_reads_zero(const void *p, size_t bytes, bool fresh) {
    if (bytes >= GUARD_LARGE_BYTES) {
        return guard_reads_zero(p, CHECK_ENDS_BYTES) &&
               guard_reads_zero((const char *)p + bytes - CHECK_ENDS_BYTES, CHECK_ENDS_BYTES);
    }
    return fresh && bytes > HAK_L2_MAX ? block_resident_reads_zero(p, bytes) : guard_reads_zero(p, bytes);
}

/* A block of a slab of its own, which pages.h makes inaccessible. */
static bool block_is_lockable(size_t block_bytes) {
    return guard_has(HAK_FEATURE_PAGES) && block_bytes >= GUARD_LARGE_BYTES && block_bytes <= HAK_L25_MAX;
}

enum guard_give hak_guard_block_give(void *p, size_t block_bytes, size_t size, bool fresh) {
    const bool locked = block_is_lockable(block_bytes) && hak_pages_are_locked(p);
    /* Nobody can have written what is inaccessible. */
    const bool untouched = !guard_has(HAK_FEATURE_CHECK) || locked || block_reads_zero(p, block_bytes, fresh);
    if (locked && hak_pages_unlock(p, block_bytes) != 0) {
        return GUARD_NOT_GIVEN;
    }
    if (HAK_UNLIKELY(!untouched)) {
        guard_clear(p, block_bytes);
    }
    guard_block_resize(p, block_bytes, size);
    return untouched ? GUARD_GIVEN : GUARD_GIVEN_WRITTEN;
}

void hak_guard_block_take(void *p, size_t block_bytes, bool *resident) {
    if (guard_has(HAK_FEATURE_ZERO)) {
        if (*resident || block_bytes <= HAK_L2_MAX) {
            memset(p, 0, block_bytes);
        } else {
            *resident = hak_guard_clear_large(p, block_bytes);
        }
    }
    if (block_is_lockable(block_bytes)) {
        hak_pages_lock(p, block_bytes);
    }
}
