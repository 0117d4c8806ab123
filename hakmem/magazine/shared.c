/* SPDX-License-Identifier: MIT */
/* See shared.h. All threads without magazines are one owner of slabs, THREAD_NUMBER_SHARED; who holds the lock acts for
 * it. */
#include "hakmem/magazine/shared.h"

#include "hakmem/base/lock.h"
#include "hakmem/guard/quarantine.h"
#include "hakmem/magazine/record.h"
#include "hakmem/slab/moving.h"

struct shared_class {
    struct slab *active;  /* shared lock */
    uint64_t allocations; /* atomic */
    uint64_t frees;       /* atomic */
};

static struct hak_lock shared_lock = HAK_LOCK_INITIALIZER(HAK_RANK_SHARED);
static struct shared_class shared_classes[HAK_CLASS_COUNT];

static struct slab *shared_active_slab_locked(unsigned class_index) {
    struct slab **active = &shared_classes[class_index].active;
    if (*active != NULL && ((*active)->free_count > 0 || hak_slab_drain(*active, class_index) > 0)) {
        return *active;
    }
    struct slab *slab = hak_slab_claim(class_index, THREAD_NUMBER_SHARED);
    if (slab == NULL) {
        slab = hak_slab_create(class_index, THREAD_NUMBER_SHARED);
    }
    if (slab == NULL) {
        return NULL;
    }
    if (*active != NULL) {
        hak_slab_detach(*active, class_index);
    }
    *active = slab;
    return slab;
}

void *hak_shared_alloc(unsigned class_index) {
    void *p = NULL;
    bool zeroed;
    hak_moving_begin();
    lock_acquire(&shared_lock);
    struct slab *slab = shared_active_slab_locked(class_index);
    if (slab != NULL) {
        hak_slab_take(slab, class_index, &p, 1, &zeroed);
        /* Relaxed: a count orders nothing. */
        hak_fetch_add_relaxed(&shared_classes[class_index].allocations, (uint64_t)1);
    }
    lock_release(&shared_lock);
    hak_moving_end();
    return p;
}

void hak_shared_free(unsigned class_index, void *p) {
    uint32_t count = 1;
    hak_moving_begin();
    if (HAK_GUARD_FULL && guard_has(HAK_FEATURE_QUARANTINE)) {
        count = hak_quarantine_pass(class_index, SLAB_NOBODY, &p, 1, &p);
    }
    /* As nobody: the slab's owner, if it has one, folds the bit in later. */
    hak_slab_free_blocks(SLAB_NOBODY, class_index, &p, count);
    hak_fetch_add_relaxed(&shared_classes[class_index].frees, (uint64_t)1);
    hak_moving_end();
}

void hak_shared_count(unsigned class_index, uint64_t allocations, uint64_t frees) {
    hak_fetch_add_relaxed(&shared_classes[class_index].allocations, allocations);
    hak_fetch_add_relaxed(&shared_classes[class_index].frees, frees);
}

void hak_shared_flush(void) {
    hak_moving_begin();
    lock_acquire(&shared_lock);
    for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT; class_index++) {
        if (shared_classes[class_index].active != NULL) {
            hak_slab_drain(shared_classes[class_index].active, class_index);
            hak_slab_detach(shared_classes[class_index].active, class_index);
            shared_classes[class_index].active = NULL;
        }
    }
    lock_release(&shared_lock);
    hak_moving_end();
}

void hak_shared_class_totals(unsigned class_index, uint64_t *allocations, uint64_t *frees) {
    *allocations = hak_load_relaxed(&shared_classes[class_index].allocations);
    *frees = hak_load_relaxed(&shared_classes[class_index].frees);
}

void hak_shared_fork_locks(lock_visit *visit, struct lock_fork *fork) { visit(&shared_lock, fork); }
