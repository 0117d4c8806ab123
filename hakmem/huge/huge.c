/* SPDX-License-Identifier: MIT */
/* See huge.h. A block is placed in freed chunks of a region if enough adjacent ones are decaying, because these are
 * still resident and a new mapping is not. Otherwise it gets a mapping through mapping.h from region/kept.h, which
 * keeps freed mappings while they decay. */
#include "hakmem/huge/huge.h"

#include <errno.h>
#include <string.h>

#include "hakmem/base/assert.h"
#include "hakmem/base/bits.h"
#include "hakmem/base/config.h"
#include "hakmem/base/lock.h"
#include "hakmem/base/options.h"
#include "hakmem/huge/mapping.h"
#include "hakmem/os/os.h"
#include "hakmem/region/block_table.h"
#include "hakmem/region/held.h"
#include "hakmem/region/region.h"
#include "hakmem/space/units.h"

static struct hak_lock huge_lock = HAK_LOCK_INITIALIZER(HAK_RANK_HUGE);
struct block_table hak_huge_blocks;    /* huge lock */
static uint64_t huge_allocations;      /* huge lock */
static uint64_t huge_frees;            /* huge lock */
static uint64_t huge_changes;          /* huge lock; blocks that came, went, or changed their size */
static uint64_t huge_live_bytes;       /* huge lock */
static uint64_t huge_live_blocks_most; /* huge lock; at any one time */
static uint64_t huge_live_bytes_most;  /* huge lock; likewise */

/* Whole chunks; 0 where that would overflow. */
static size_t huge_round(size_t size) {
    return size > PTRDIFF_MAX - HAK_CHUNK_BYTES ? 0 : bits_round_up(size == 0 ? 1 : size, HAK_CHUNK_BYTES);
}

bool hak_huge_is_possible(size_t size) { return huge_round(size) != 0; }

static void huge_note_most_locked(void) {
    if (hak_huge_blocks.used > huge_live_blocks_most) {
        huge_live_blocks_most = hak_huge_blocks.used;
    }
    if (huge_live_bytes > huge_live_bytes_most) {
        huge_live_bytes_most = huge_live_bytes;
    }
}

/* Enters a block in the table. false: no memory for the table */
static bool huge_enter(struct block_entry block) {
    lock_acquire(&huge_lock);
    bool room = hak_block_table_reserve(&hak_huge_blocks) == 0;
    if (room) {
        hak_block_table_insert(&hak_huge_blocks, block);
        huge_allocations++;
        huge_changes++;
        huge_live_bytes += block.size;
        huge_note_most_locked();
        hak_held_add(block.size);
    }
    lock_release(&huge_lock);
    return room;
}

static unsigned huge_chunks(size_t size) { return (unsigned)(size / HAK_CHUNK_BYTES); }

/* What the block lay in, which is in the table no more. */
static void huge_give_back(struct block_entry block) {
    if (block.reused) {
        hak_region_reuse_end((void *)block.start, huge_chunks(block.size));
    } else {
        mapping_free((void *)block.start, block.size);
    }
}

/* Chunks of a region for a block of `size` bytes; NULL where there are none, or where a kept mapping may do. Guard full
 * puts what nobody can touch around a mapping, and makes it wait; mallopt may want it unmapped when it is freed. */
static void *huge_reuse(size_t size, size_t alignment) {
    /* Relaxed: see options.h. */
    const bool may = !HAK_GUARD_FULL && alignment <= HAK_CHUNK_BYTES && size < HAK_REGION_BYTES &&
                     size < hak_load_relaxed(&hak_options.map_threshold);
    return may && hak_kept_dirty_bytes() < size ? hak_region_reuse(huge_chunks(size)) : NULL;
}

/* A block of `size` bytes, whole chunks, that is in the table; NULL: no memory. `may_reuse`: it need not be a
 * mapping. */
static void *huge_make(size_t size, size_t alignment, bool may_reuse, bool *zeroed) {
    void *start = may_reuse ? huge_reuse(size, alignment) : NULL;
    const bool reused = start != NULL;
    *zeroed = false;
    if (!reused &&
        mapping_alloc(size, alignment > HAK_CHUNK_BYTES ? alignment : HAK_CHUNK_BYTES, &start, zeroed) != 0) {
        return NULL;
    }
    const struct block_entry block = {.start = (uintptr_t)start, .size = size, .reused = reused};
    if (!huge_enter(block)) {
        huge_give_back(block);
        return NULL;
    }
    return start;
}

void *hak_huge_alloc(size_t size, size_t alignment, bool *zeroed) {
    const size_t rounded = huge_round(size);
    void *start = rounded == 0 ? NULL : huge_make(rounded, alignment, true, zeroed);
    if (start == NULL) {
        errno = ENOMEM;
    }
    return start;
}

bool hak_huge_free(void *p) {
    struct block_entry freed = {0};
    lock_acquire(&huge_lock);
    struct block_entry *block = hak_block_table_find(&hak_huge_blocks, p);
    if (block != NULL) {
        freed = *block;
        hak_block_table_remove(&hak_huge_blocks, block);
        huge_frees++;
        huge_changes++;
        huge_live_bytes -= freed.size;
        hak_held_subtract(freed.size);
    }
    lock_release(&huge_lock);
    if (freed.size == 0) {
        return false;
    }
    huge_give_back(freed);
    return true;
}

/* Enters the block of that entry anew. */
static void huge_change_locked(struct block_entry *block, void *moved, size_t size) {
    const struct block_entry before = *block;
    hak_block_table_remove(&hak_huge_blocks, block);
    hak_block_table_insert(&hak_huge_blocks,
                           (struct block_entry){.start = (uintptr_t)moved, .size = size, .reused = before.reused});
    huge_changes++;
    huge_live_bytes += size - before.size;
    if (size > before.size) {
        hak_held_add(size - before.size);
    } else {
        hak_held_subtract(before.size - size);
    }
    huge_note_most_locked();
}

/* A block of a region's chunks cannot grow there. One that grows by less than half its size will do so often: a mapping
 * grows without a copy. */
static void *huge_realloc_reused(struct block_entry block, size_t size) {
    void *const p = (void *)block.start;
    if (size <= block.size) {
        lock_acquire(&huge_lock);
        huge_change_locked(hak_block_table_find(&hak_huge_blocks, p), p, size);
        lock_release(&huge_lock);
        if (size < block.size) {
            hak_region_reuse_end((char *)p + size, huge_chunks(block.size - size));
        }
        return p;
    }
    bool zeroed;
    void *moved = huge_make(size, 1, size - block.size >= block.size / 2, &zeroed);
    if (moved != NULL) {
        memcpy(moved, p, block.size);
        (void)hak_huge_free(p);
    }
    return moved;
}

void *hak_huge_realloc(void *p, size_t size) {
    size_t rounded = huge_round(size);
    if (rounded == 0) {
        return NULL;
    }
    /* The block stays in the table while its pages move: its owner alone may free it, and nothing else can
     * be mapped at p before they have moved. The entry follows under one hold of the lock. */
    lock_acquire(&huge_lock);
    struct block_entry *block = hak_block_table_find(&hak_huge_blocks, p);
    HAK_CHECK(block != NULL);
    const struct block_entry before = *block;
    if (before.reused) {
        lock_release(&huge_lock);
        return huge_realloc_reused(before, rounded);
    }
    void *moved = p;
    int error = rounded == before.size ? 0 : mapping_resize(p, before.size, rounded, &moved);
    if (error == 0) {
        hak_units_note_given(moved, rounded);
        huge_change_locked(block, moved, rounded);
    }
    lock_release(&huge_lock);
    if (moved != p) {
        hak_kept_note_pieces();
    }
    if (HAK_GUARD_FULL && moved != p) {
        hak_mapping_leave(p, before.size);
    }
    return error == 0 ? moved : NULL;
}

size_t hak_huge_usable_size(const void *p) {
    lock_acquire(&huge_lock);
    const struct block_entry *block = hak_block_table_find(&hak_huge_blocks, p);
    size_t size = block != NULL ? block->size : 0;
    lock_release(&huge_lock);
    return size;
}

void *hak_huge_find(const void *p, size_t *size) {
    void *start = NULL;
    lock_acquire(&huge_lock);
    for (size_t i = 0; i < hak_huge_blocks.capacity && start == NULL; i++) {
        const struct block_entry *block = &hak_huge_blocks.entries[i];
        if ((uintptr_t)p - block->start < block->size) {
            start = (void *)block->start;
            *size = block->size;
        }
    }
    lock_release(&huge_lock);
    return start;
}

void hak_huge_for_each(void (*visit)(void *start, size_t size, void *argument), void *argument) {
    lock_acquire(&huge_lock);
    for (size_t i = 0; i < hak_huge_blocks.capacity; i++) {
        if (hak_huge_blocks.entries[i].start != 0) {
            visit((void *)hak_huge_blocks.entries[i].start, hak_huge_blocks.entries[i].size, argument);
        }
    }
    lock_release(&huge_lock);
}

void hak_huge_totals(struct hak_huge_totals *totals) {
    lock_acquire(&huge_lock);
    *totals = (struct hak_huge_totals){
        .allocations = huge_allocations,
        .frees = huge_frees,
        .changes = huge_changes,
        .live_blocks = hak_huge_blocks.used,
        .live_bytes = huge_live_bytes,
        .live_blocks_most = huge_live_blocks_most,
        .live_bytes_most = huge_live_bytes_most,
        .metadata_bytes = hak_huge_blocks.capacity * sizeof *hak_huge_blocks.entries,
    };
    lock_release(&huge_lock);
}

void hak_huge_visit_table(void (*visit)(void *start, size_t size, void *argument), void *argument) {
    lock_acquire(&huge_lock);
    visit(hak_huge_blocks.entries, hak_huge_blocks.capacity * sizeof *hak_huge_blocks.entries, argument);
    lock_release(&huge_lock);
}

void hak_huge_fork_locks(lock_visit *visit, struct lock_fork *fork) { visit(&huge_lock, fork); }
