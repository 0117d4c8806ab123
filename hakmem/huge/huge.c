/* See huge.h. The mappings come, by mapping.h, from region/large.h, which keeps freed ones while they decay. */
#include "hakmem/huge/huge.h"

#include <errno.h>

#include "hakmem/base/assert.h"
#include "hakmem/base/bits.h"
#include "hakmem/base/config.h"
#include "hakmem/base/lock.h"
#include "hakmem/huge/mapping.h"
#include "hakmem/huge/table.h"
#include "hakmem/magazine/process.h"
#include "hakmem/os/os.h"
#include "hakmem/profile/profile.h"
#include "hakmem/region/held.h"
#include "hakmem/slab/purge.h"

static struct hak_lock huge_lock = HAK_LOCK_INITIALIZER(HAK_RANK_HUGE);
static struct huge_table huge_table;     /* huge lock */
static uint64_t huge_allocations;        /* huge lock */
static uint64_t huge_frees;              /* huge lock */
static uint64_t huge_changes;            /* huge lock; blocks that came, went, or changed their size */
static uint64_t huge_live_bytes;         /* huge lock */
static uint64_t huge_live_blocks_most;   /* huge lock; at any one time */
static uint64_t huge_live_bytes_most;    /* huge lock; likewise */

static void *huge_fail(void) {
    errno = ENOMEM;
    return NULL;
}

/* Whole chunks; 0 where that would overflow. */
static size_t huge_round(size_t size) {
    return size > PTRDIFF_MAX - HAK_CHUNK_BYTES ? 0 : bits_round_up(size == 0 ? 1 : size, HAK_CHUNK_BYTES);
}

static void huge_note_most_locked(void) {
    if (huge_table.used > huge_live_blocks_most) {
        huge_live_blocks_most = huge_table.used;
    }
    if (huge_live_bytes > huge_live_bytes_most) {
        huge_live_bytes_most = huge_live_bytes;
    }
}

/* Enters a mapping in the table. false: no memory for the table */
static bool huge_enter(void *start, size_t size) {
    lock_acquire(&huge_lock);
    bool room = huge_table_reserve(&huge_table) == 0;
    if (room) {
        huge_table_insert(&huge_table, (struct huge_block){.start = (uintptr_t)start, .size = size});
        huge_allocations++;
        huge_changes++;
        huge_live_bytes += size;
        huge_note_most_locked();
        held_add(size);
    }
    lock_release(&huge_lock);
    return room;
}

void *huge_alloc(size_t size, size_t alignment, bool *zeroed) {
    process_begin();
    const size_t rounded = huge_round(size);
    void *start;
    if (rounded == 0 ||
        mapping_alloc(rounded, alignment > HAK_CHUNK_BYTES ? alignment : HAK_CHUNK_BYTES, &start, zeroed) != 0) {
        return huge_fail();
    }
    if (!huge_enter(start, rounded)) {
        mapping_free(start, rounded);
        return huge_fail();
    }
    if (HAK_UNLIKELY(profile_is_on())) {
        profile_note_huge(start, rounded, hak_profile_site);
    }
    purge_poll(NULL);
    return start;
}

bool huge_free(void *p, const void *caller) {
    size_t size = 0;
    lock_acquire(&huge_lock);
    struct huge_block *block = huge_table_find(&huge_table, p);
    if (block != NULL) {
        size = block->size;
        huge_table_remove(&huge_table, block);
        huge_frees++;
        huge_changes++;
        huge_live_bytes -= size;
        held_subtract(size);
    }
    lock_release(&huge_lock);
    if (size == 0) {
        return false;
    }
    mapping_free(p, size);
    purge_poll(caller);
    return true;
}

void *huge_realloc(void *p, size_t size) {
    size_t rounded = huge_round(size);
    if (rounded == 0) {
        return NULL;
    }
    /* The block stays in the table while its pages move: its owner alone may free it, and nothing else can
     * be mapped at p before they have moved. The entry follows under one hold of the lock. */
    lock_acquire(&huge_lock);
    struct huge_block *block = huge_table_find(&huge_table, p);
    HAK_CHECK(block != NULL);
    size_t old_size = block->size;
    void *moved = p;
    int error = rounded == old_size ? 0 : os_remap(p, old_size, rounded, HAK_CHUNK_BYTES, &moved);
    if (error == 0) {
        huge_table_remove(&huge_table, block);
        huge_table_insert(&huge_table, (struct huge_block){.start = (uintptr_t)moved, .size = rounded});
        huge_changes++;
        huge_live_bytes += rounded - old_size;
        if (rounded > old_size) {
            held_add(rounded - old_size);
        } else {
            held_subtract(old_size - rounded);
        }
        huge_note_most_locked();
    }
    lock_release(&huge_lock);
    return error == 0 ? moved : NULL;
}

size_t huge_usable_size(const void *p) {
    lock_acquire(&huge_lock);
    const struct huge_block *block = huge_table_find(&huge_table, p);
    size_t size = block != NULL ? block->size : 0;
    lock_release(&huge_lock);
    return size;
}

void *huge_find(const void *p, size_t *size) {
    void *start = NULL;
    lock_acquire(&huge_lock);
    for (size_t i = 0; i < huge_table.capacity && start == NULL; i++) {
        const struct huge_block *block = &huge_table.entries[i];
        if ((uintptr_t)p - block->start < block->size) {
            start = (void *)block->start;
            *size = block->size;
        }
    }
    lock_release(&huge_lock);
    return start;
}

void huge_for_each(void (*visit)(void *start, size_t size, void *argument), void *argument) {
    lock_acquire(&huge_lock);
    for (size_t i = 0; i < huge_table.capacity; i++) {
        if (huge_table.entries[i].start != 0) {
            visit((void *)huge_table.entries[i].start, huge_table.entries[i].size, argument);
        }
    }
    lock_release(&huge_lock);
}

void huge_totals(struct huge_totals *totals) {
    lock_acquire(&huge_lock);
    *totals = (struct huge_totals){
        .allocations = huge_allocations,
        .frees = huge_frees,
        .changes = huge_changes,
        .live_blocks = huge_table.used,
        .live_bytes = huge_live_bytes,
        .live_blocks_most = huge_live_blocks_most,
        .live_bytes_most = huge_live_bytes_most,
        .metadata_bytes = huge_table.capacity * sizeof *huge_table.entries,
    };
    lock_release(&huge_lock);
}

void huge_fork_acquire(void) { lock_acquire(&huge_lock); }

void huge_fork_release(void) { lock_release(&huge_lock); }
