/* SPDX-License-Identifier: MIT */
/* See freed.h. */
#include "hakmem/sample/freed.h"

#include "hakmem/base/atomic.h"
#include "hakmem/base/bits.h"

/* No block's address: it is odd. */
#define FREED_BEING_WRITTEN ((const void *)1)

struct freed {
    const void *block;                      /* atomic; NULL: none; or FREED_BEING_WRITTEN */
    const struct profile_record *allocated; /* atomic */
    const void *freed;                      /* atomic */
};

static struct freed freed_entries[FREED_ENTRIES];

static struct freed *freed_entry(const void *block) {
    /* Knuth's multiplicative hashing, as in region/block_table.c; 2^(64 - 52) entries. */
    HAK_STATIC_ASSERT(FREED_ENTRIES == 1u << (64 - 52), "the shift below");
    return &freed_entries[((uint64_t)(uintptr_t)block * 0x9e3779b97f4a7c15u) >> 52];
}

void hak_freed_note(const void *block, const struct profile_record *allocated, const void *freed) {
    struct freed *entry = freed_entry(block);
    /* Acquire-release, and release the next two: pair with the acquire loads of hak_freed_find, whose second look at the block finds
     * FREED_BEING_WRITTEN, or another one, where it saw either site of this. Acquire as well, since the next two must not come before. */
    if (hak_exchange_acq_rel(&entry->block, FREED_BEING_WRITTEN) == FREED_BEING_WRITTEN) {
        return; /* who is writing ends that */
    }
    hak_store_release(&entry->allocated, allocated);
    DISTURB();
    hak_store_release(&entry->freed, freed);
    /* Release: pairs with the first acquire load of hak_freed_find, which then finds both sites. */
    hak_store_release(&entry->block, block);
}

bool hak_freed_find(const void *block, const struct profile_record **allocated, const void **freed) {
    const struct freed *entry = freed_entry(block);
    /* Acquire, all: pair with the release stores of hak_freed_note. */
    if (hak_load_acquire(&entry->block) != block) {
        return false;
    }
    *allocated = hak_load_acquire(&entry->allocated);
    DISTURB();
    *freed = hak_load_acquire(&entry->freed);
    /* Relaxed: the loads above order it. */
    return hak_load_relaxed(&entry->block) == block;
}

void hak_freed_clear(void) {
    for (unsigned i = 0; i < FREED_ENTRIES; i++) {
        /* Release: pairs with the second look of hak_freed_find, which finds no block. */
        hak_store_release(&freed_entries[i].block, (const void *)NULL);
    }
}

void hak_freed_visit(void (*visit)(void *start, size_t size, void *argument), void *argument) {
    visit(freed_entries, sizeof freed_entries, argument);
}
