/* See block.h.
 *
 * Large here: a block above L2. Its whole pages are given back, which clears them and keeps what was never touched from
 * becoming resident; and with `pages` nobody can touch it between its free and its next use, so there is nothing to
 * check then. Without `pages` its first and last CHECK_LARGE_BYTES are looked at. */
#include "hakmem/guard/block.h"

#include "hakmem/base/bits.h"
#include "hakmem/base/config.h"
#include "hakmem/guard/pages.h"
#include "hakmem/os/os.h"

#define CHECK_LARGE_BYTES 4096

void guard_clear(void *p, size_t bytes) {
    if (HAK_LIKELY(bytes <= HAK_L2_MAX)) {
        memset(p, 0, bytes);
        return;
    }
    const size_t page = os_page_size();
    char *start = p, *end = start + bytes;
    char *first = (char *)bits_round_up((uintptr_t)start, page);
    char *last = (char *)((uintptr_t)end & ~(page - 1));
    if (os_purge(first, (size_t)(last - first)) != 0) {
        memset(p, 0, bytes); /* pages that the program locked into memory */
        return;
    }
    memset(start, 0, (size_t)(first - start));
    memset(last, 0, (size_t)(end - last));
}

/* Blocks are multiples of 8 bytes and aligned to that. */
static bool reads_zero(const void *p, size_t bytes) {
    const uint64_t *word = p;
    uint64_t any = 0;
    for (size_t i = 0; i < bytes / sizeof *word; i++) {
        any |= word[i];
    }
    return any == 0;
}

static bool block_is_untouched(const void *p, size_t block_bytes) {
    if (HAK_LIKELY(block_bytes <= HAK_L2_MAX)) {
        return reads_zero(p, block_bytes);
    }
    return reads_zero(p, CHECK_LARGE_BYTES) &&
           reads_zero((const char *)p + block_bytes - CHECK_LARGE_BYTES, CHECK_LARGE_BYTES);
}

/* A block of a slab of its own, which pages.h can make inaccessible. */
static bool block_is_lockable(size_t block_bytes) {
    return guard_has(HAK_FEATURE_PAGES) && block_bytes > HAK_L2_MAX && block_bytes <= HAK_L25_MAX;
}

enum guard_give guard_block_give(void *p, size_t block_bytes, size_t size) {
    const bool was_locked = HAK_UNLIKELY(block_is_lockable(block_bytes)) && pages_are_locked(p);
    if (was_locked && pages_unlock(p, block_bytes) != 0) {
        return GUARD_NOT_GIVEN;
    }
    const bool written = guard_has(HAK_FEATURE_CHECK) && !was_locked && !block_is_untouched(p, block_bytes);
    if (HAK_UNLIKELY(written)) {
        guard_clear(p, block_bytes);
    }
    if (guard_has(HAK_FEATURE_CANARY)) {
        canary_write(p, block_bytes, size);
    }
    return written ? GUARD_GIVEN_WRITTEN : GUARD_GIVEN;
}

void guard_block_take(void *p, size_t block_bytes) {
    if (guard_has(HAK_FEATURE_ZERO)) {
        guard_clear(p, block_bytes);
    }
    if (HAK_UNLIKELY(block_is_lockable(block_bytes))) {
        pages_lock(p, block_bytes);
    }
}
