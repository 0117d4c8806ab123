/* SPDX-License-Identifier: MIT */
/* See zero_size.h. A bit an address says whether it is live. */
#include "hakmem/guard/zero_size.h"

#include "hakmem/base/bits.h"
#include "hakmem/base/lock.h"
#include "hakmem/os/os.h"

/* 16 Mi blocks at once; the bits become resident as they are used. */
#define ZERO_SIZE_BLOCKS ((size_t)1 << 24)
#define ZERO_SIZE_BYTES (ZERO_SIZE_BLOCKS * ZERO_SIZE_ALIGNMENT)
#define ZERO_SIZE_WORDS (ZERO_SIZE_BLOCKS / 64)

/* What is left where addresses are short: 1 Mi blocks at once. */
#define ZERO_SIZE_BLOCKS_FEW ((size_t)1 << 20)

static char *zero_size_start;                      /* constant after init */
static uint64_t *zero_size_live;                   /* zero_size_lock: the words */
static size_t zero_size_blocks = ZERO_SIZE_BLOCKS; /* zero_size_lock; behind them the range is not ours any more */
static size_t zero_size_next;                      /* zero_size_lock; where the search goes on */
static uint64_t zero_size_allocated;               /* zero_size_lock */
static uint64_t zero_size_freed;                   /* zero_size_lock */
static struct hak_lock zero_size_lock = HAK_LOCK_INITIALIZER(HAK_RANK_ZERO_SIZE);

int hak_zero_size_init(void) {
    void *range, *bits;
    int error = hak_os_reserve(ZERO_SIZE_BYTES, &range);
    if (error != 0) {
        return error;
    }
    error = hak_os_make_inaccessible(range, ZERO_SIZE_BYTES);
    if (error == 0) {
        error = hak_os_map(ZERO_SIZE_WORDS * sizeof *zero_size_live, hak_os_page_size(), &bits);
    }
    if (error != 0) {
        (void)hak_os_unmap(range, ZERO_SIZE_BYTES);
        return error;
    }
    zero_size_start = range;
    zero_size_live = bits;
    return 0;
}

/* The next address that is not live; ZERO_SIZE_BLOCKS: all are. */
static size_t zero_size_find_locked(void) {
    const size_t words = zero_size_blocks / 64;
    size_t word = zero_size_next / 64;
    uint64_t free = ~zero_size_live[word] & ~bits_low_mask((unsigned)(zero_size_next % 64));
    /* Once around: the first word comes again at the end, whole. */
    for (size_t looked = 0; free == 0; looked++) {
        if (looked == words) {
            return ZERO_SIZE_BLOCKS;
        }
        word = (word + 1) % words;
        free = ~zero_size_live[word];
    }
    return word * 64 + bits_lowest(free);
}

void *hak_zero_size_alloc(void) {
    void *p = NULL;
    lock_acquire(&zero_size_lock);
    const size_t block = zero_size_find_locked();
    if (block < ZERO_SIZE_BLOCKS) {
        zero_size_live[block / 64] |= (uint64_t)1 << block % 64;
        zero_size_next = (block + 1) % zero_size_blocks;
        zero_size_allocated++;
        p = zero_size_start + block * ZERO_SIZE_ALIGNMENT;
    }
    lock_release(&zero_size_lock);
    return p;
}

bool hak_zero_size_has(const void *p) {
    return zero_size_start != NULL && (uintptr_t)p - (uintptr_t)zero_size_start < ZERO_SIZE_BYTES;
}

/* The word and the bit of an address; 0 where no block starts there. pre: hak_zero_size_has(p) */
static uint64_t zero_size_bit(const void *p, size_t *word) {
    const uintptr_t offset = (uintptr_t)p - (uintptr_t)zero_size_start;
    const size_t block = offset / ZERO_SIZE_ALIGNMENT;
    *word = block / 64;
    return offset % ZERO_SIZE_ALIGNMENT == 0 ? (uint64_t)1 << block % 64 : 0;
}

bool hak_zero_size_is_live(const void *p) {
    size_t word;
    if (!hak_zero_size_has(p)) {
        return false;
    }
    const uint64_t bit = zero_size_bit(p, &word);
    lock_acquire(&zero_size_lock);
    const bool live = (zero_size_live[word] & bit) != 0;
    lock_release(&zero_size_lock);
    return live;
}

bool hak_zero_size_free(void *p) {
    size_t word;
    const uint64_t bit = zero_size_bit(p, &word);
    lock_acquire(&zero_size_lock);
    const bool live = (zero_size_live[word] & bit) != 0;
    if (live) {
        zero_size_live[word] &= ~bit;
        zero_size_freed++;
    }
    lock_release(&zero_size_lock);
    return live;
}

bool hak_zero_size_give_way(void) {
    const size_t bytes = (ZERO_SIZE_BLOCKS - ZERO_SIZE_BLOCKS_FEW) * ZERO_SIZE_ALIGNMENT;
    lock_acquire(&zero_size_lock);
    /* Not where so many were given out that there may be blocks behind. */
    const bool gives = zero_size_start != NULL && zero_size_blocks == ZERO_SIZE_BLOCKS &&
                       zero_size_allocated < ZERO_SIZE_BLOCKS_FEW &&
                       hak_os_unreserve(zero_size_start + ZERO_SIZE_BLOCKS_FEW * ZERO_SIZE_ALIGNMENT, bytes) == 0;
    if (gives) {
        zero_size_blocks = ZERO_SIZE_BLOCKS_FEW;
    }
    lock_release(&zero_size_lock);
    return gives;
}

void hak_zero_size_for_each(void (*visit)(void *start, size_t size, void *argument), void *argument) {
    lock_acquire(&zero_size_lock);
    /* Addresses are taken in turn: none behind so many was ever used. */
    const size_t used = zero_size_allocated < zero_size_blocks ? zero_size_allocated : zero_size_blocks;
    for (size_t word = 0; word * 64 < used; word++) {
        for (uint64_t live = zero_size_live[word]; live != 0; live &= live - 1) {
            visit(zero_size_start + (word * 64 + bits_lowest(live)) * ZERO_SIZE_ALIGNMENT, 0, argument);
        }
    }
    lock_release(&zero_size_lock);
}

void hak_zero_size_totals(struct hak_zero_size_totals *totals) {
    lock_acquire(&zero_size_lock);
    *totals = (struct hak_zero_size_totals){.allocations = zero_size_allocated, .frees = zero_size_freed};
    lock_release(&zero_size_lock);
}

void hak_zero_size_fork_locks(lock_visit *visit, struct lock_fork *fork) { visit(&zero_size_lock, fork); }
