/* See block.h.
 *
 * Large here: a block above L2. Of those, what is resident is cleared and what is not given back, which leaves it as it is:
 * a page that goes and comes again costs tens of times what clearing it costs. With `pages`, from GUARD_LARGE_BYTES on nobody
 * can touch a block between its free and its next use, so there is nothing to check then; without, its first and its last
 * CHECK_ENDS_BYTES are looked at. Smaller ones are looked at whole. */
#include "hakmem/guard/block.h"

#include "hakmem/base/bits.h"
#include "hakmem/guard/pages.h"
#include "hakmem/os/os.h"

#define CHECK_ENDS_BYTES 4096

/* Pages that are asked about at once. */
#define CLEAR_PAGES 512

/* Clears `bytes` bytes of whole pages, at most CLEAR_PAGES. false: the system does not say what is resident */
static bool clear_pages(char *start, size_t bytes, bool has_swap) {
    const size_t page = os_page_size();
    const size_t count = bytes / page;
    unsigned char resident[CLEAR_PAGES];
    if (os_resident(start, bytes, resident) != 0) {
        return false;
    }
    for (size_t first = 0, end; first < count; first = end) {
        const bool is_resident = (resident[first] & 1) != 0;
        end = first + 1;
        while (end < count && ((resident[end] & 1) != 0) == is_resident) {
            end++;
        }
        char *run = start + first * page;
        const size_t run_bytes = (end - first) * page;
        /* What is not resident reads zero, or was swapped out. */
        if (is_resident || (has_swap && os_purge(run, run_bytes) != 0)) {
            memset(run, 0, run_bytes);
        }
    }
    return true;
}

void guard_clear_large(void *p, size_t bytes) {
    const size_t page = os_page_size();
    char *start = p, *end = start + bytes;
    char *first = (char *)bits_round_up((uintptr_t)start, page);
    char *last = (char *)((uintptr_t)end & ~(page - 1));
    memset(start, 0, (size_t)(first - start));
    memset(last, 0, (size_t)(end - last));
    const bool has_swap = os_has_swap();
    while (first < last) {
        const size_t left = (size_t)(last - first);
        const size_t now = left < CLEAR_PAGES * page ? left : CLEAR_PAGES * page;
        if (!clear_pages(first, now, has_swap)) {
            memset(first, 0, now);
        }
        first += now;
    }
}

/* Bytes of a block that reads zero; of a large one, its ends do. */
static bool block_reads_zero(const void *p, size_t bytes) {
    if (HAK_LIKELY(bytes < GUARD_LARGE_BYTES)) {
        return guard_reads_zero(p, bytes);
    }
    return guard_reads_zero(p, CHECK_ENDS_BYTES) &&
           guard_reads_zero((const char *)p + bytes - CHECK_ENDS_BYTES, CHECK_ENDS_BYTES);
}

/* A block of a slab of its own, which pages.h makes inaccessible. */
static bool block_is_lockable(size_t block_bytes) {
    return guard_has(HAK_FEATURE_PAGES) && block_bytes >= GUARD_LARGE_BYTES && block_bytes <= HAK_L25_MAX;
}

bool guard_block_is_untouched(const void *p, size_t block_bytes) {
    return !guard_has(HAK_FEATURE_CHECK) || (block_is_lockable(block_bytes) && pages_are_locked(p)) ||
           block_reads_zero(p, block_bytes);
}

enum guard_give guard_block_give(void *p, size_t block_bytes, size_t size) {
    const bool untouched = guard_block_is_untouched(p, block_bytes);
    if (block_is_lockable(block_bytes) && pages_are_locked(p) && pages_unlock(p, block_bytes) != 0) {
        return GUARD_NOT_GIVEN;
    }
    if (HAK_UNLIKELY(!untouched)) {
        guard_clear(p, block_bytes);
    }
    guard_block_resize(p, block_bytes, size);
    return untouched ? GUARD_GIVEN : GUARD_GIVEN_WRITTEN;
}

void guard_block_take(void *p, size_t block_bytes) {
    if (guard_has(HAK_FEATURE_ZERO)) {
        guard_clear(p, block_bytes);
    }
    if (block_is_lockable(block_bytes)) {
        pages_lock(p, block_bytes);
    }
}
