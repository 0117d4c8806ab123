/* A small cache of mappings in front of the system; see large.h.
 *
 * Mapping, faulting in and unmapping a block of 2 MiB costs some hundred microseconds; a program that
 * allocates and frees such blocks in turn pays it once. A kept span of another size is cut or grown to fit: one
 * system call, where a new mapping costs a page fault for each of its pages. */
#include "hakmem/region/large.h"

#include "hakmem/base/atomic.h"
#include "hakmem/base/lock.h"
#include "hakmem/base/options.h"
#include "hakmem/os/os.h"
#include "hakmem/region/decay.h"

/* More spans than this at once are given back, the oldest first. */
#define LARGE_KEPT_MAX 64

struct large_kept {
    void *start;
    size_t size;
    uint64_t freed_at_ms;
};

static struct hak_lock large_lock = HAK_LOCK_INITIALIZER(HAK_RANK_REGION);
static struct large_kept large_kept[LARGE_KEPT_MAX]; /* large lock; oldest first */
static unsigned large_kept_count;                    /* large lock */
static size_t large_kept_bytes;                      /* atomic: read without the lock, written under it */

static struct large_kept large_remove_locked(unsigned index) {
    struct large_kept removed = large_kept[index];
    large_kept_count--;
    for (unsigned i = index; i < large_kept_count; i++) {
        large_kept[i] = large_kept[i + 1];
    }
    hak_store_relaxed(&large_kept_bytes, large_kept_bytes - removed.size);
    return removed;
}

/* How many bytes of pages a kept span would save or cost for `size`: smaller is better. A span that is too
 * small lacks the pages that it has to grow by; one that is too large gives some up. */
static size_t large_misfit(size_t kept, size_t size) { return kept >= size ? kept - size : size - kept; }

/* Takes the span that fits best, whatever its size. false: nothing is kept that lies at such an alignment */
static bool large_take_kept(size_t size, size_t alignment, struct large_kept *out) {
    unsigned best = LARGE_KEPT_MAX;
    lock_acquire(&large_lock);
    for (unsigned i = 0; i < large_kept_count; i++) {
        const struct large_kept *kept = &large_kept[i];
        if ((uintptr_t)kept->start % alignment == 0 &&
            (best == LARGE_KEPT_MAX || large_misfit(kept->size, size) <= large_misfit(large_kept[best].size, size))) {
            best = i;
        }
    }
    if (best < LARGE_KEPT_MAX) {
        *out = large_remove_locked(best);
    }
    lock_release(&large_lock);
    return best < LARGE_KEPT_MAX;
}

/* Brings a kept span to `size`: pages are added to it, or its end goes where that is worth the page faults that
 * the next growth will take. */
static bool large_fit(struct large_kept *kept, size_t size, size_t alignment) {
    if (kept->size >= size && kept->size - size <= LARGE_EXCESS_MAX) {
        return true;
    }
    if (os_remap(kept->start, kept->size, size, alignment, &kept->start) != 0) {
        return false;
    }
    kept->size = size;
    return true;
}

static int large_map(size_t size, size_t alignment, void **start) {
    int error = os_map(size, alignment, start);
    if (error != 0 && large_purge(UINT64_MAX) > 0) {
        error = os_map(size, alignment, start);
    }
    return error;
}

int large_alloc(size_t size, size_t alignment, struct large *out) {
    struct large_kept kept;
    if (large_take_kept(size, alignment, &kept)) {
        if (large_fit(&kept, size, alignment)) {
            *out = (struct large){.start = kept.start, .size = kept.size, .zeroed = false};
            return 0;
        }
        large_free(kept.start, kept.size);
    }
    void *start;
    int error = large_map(size, alignment, &start);
    if (error == 0) {
        *out = (struct large){.start = start, .size = size, .zeroed = true};
    }
    return error;
}

/* The system's limit of mappings may refuse: at least the pages go then. */
static void large_unmap(void *start, size_t size) {
    if (os_unmap(start, size) != 0) {
        os_purge(start, size);
    }
}

void large_free(void *start, size_t size) {
    /* Relaxed: see options.h. */
    if (size >= hak_load_relaxed(&hak_options.map_threshold)) {
        large_unmap(start, size);
        return;
    }
    uint64_t now = os_clock_ms();
    struct large_kept evicted = {0};
    lock_acquire(&large_lock);
    if (large_kept_count == LARGE_KEPT_MAX) {
        evicted = large_remove_locked(0);
    }
    large_kept[large_kept_count++] = (struct large_kept){.start = start, .size = size, .freed_at_ms = now};
    hak_count_add(&large_kept_bytes, size);
    lock_release(&large_lock);
    if (evicted.start != NULL) {
        large_unmap(evicted.start, evicted.size);
    }
    decay_note_freed(now);
}

size_t large_purge(uint64_t freed_until_ms) {
    size_t purged = 0;
    for (;;) {
        struct large_kept taken = {0};
        lock_acquire(&large_lock);
        if (large_kept_count > 0 && large_kept[0].freed_at_ms <= freed_until_ms) {
            taken = large_remove_locked(0);
        }
        lock_release(&large_lock);
        if (taken.start == NULL) {
            return purged;
        }
        large_unmap(taken.start, taken.size);
        purged += taken.size;
    }
}

bool large_is_kept(const void *start) {
    bool kept = false;
    lock_acquire(&large_lock);
    for (unsigned i = 0; i < large_kept_count && !kept; i++) {
        kept = large_kept[i].start == start;
    }
    lock_release(&large_lock);
    return kept;
}

size_t large_dirty_bytes(void) { return hak_load_relaxed(&large_kept_bytes); }

void large_fork_acquire(void) { lock_acquire_next_of_rank(&large_lock); }

void large_fork_release(void) { lock_release(&large_lock); }
