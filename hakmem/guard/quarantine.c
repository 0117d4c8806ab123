/* SPDX-License-Identifier: MIT */
/* See quarantine.h. */
#include "hakmem/guard/quarantine.h"

#include "hakmem/base/atomic.h"
#include "hakmem/base/lock.h"
#include "hakmem/guard/random.h"
#include "hakmem/size_class/size_class.h"

/* Half of what waits does so at random places, half in the queue. Of a class, in each lane, as many blocks as these bytes hold, within
 * these bounds: a few of the largest, and of the smallest no more than a quarter of a slab. */
#define QUARANTINE_BYTES ((size_t)32 << 10)
#define QUARANTINE_HALF_MIN 2u
#define QUARANTINE_HALF_MAX 256u

/* A random word chooses so many places. */
#define QUARANTINE_CHOICE_BITS 16
#define QUARANTINE_CHOICES (64u / QUARANTINE_CHOICE_BITS)

#define QUARANTINE_HUGE_SPANS 16u
#define QUARANTINE_HUGE_BYTES ((size_t)32 << 20)

struct quarantine {
    struct hak_lock lock;
    uint64_t count;                    /* atomic: read without the lock; == blocks below that are not NULL */
    uint64_t era;                      /* lock; hak_guard_random_era when its queue got its order */
    uint32_t next;                     /* lock; the queue's oldest, and where the next goes */
    void *places[QUARANTINE_HALF_MAX]; /* lock; NULL: unused. Of both, only the first quarantine_half are in use */
    void *queue[QUARANTINE_HALF_MAX];  /* lock; likewise */
};

static struct quarantine quarantines[HAK_CLASS_COUNT][QUARANTINE_LANES] = {
    [0 ... HAK_CLASS_COUNT - 1] = {[0 ... QUARANTINE_LANES - 1] = {.lock = HAK_LOCK_INITIALIZER(HAK_RANK_GUARD)}},
};

static struct hak_lock quarantine_huge_lock = HAK_LOCK_INITIALIZER(HAK_RANK_GUARD);
static struct quarantine_span huge_queue[QUARANTINE_HUGE_SPANS]; /* huge lock; oldest at huge_first, in turn */
static uint32_t huge_first;                                      /* huge lock */
static uint32_t huge_count;                                      /* huge lock */
static size_t huge_bytes;                                        /* huge lock; sum of the queue's */

static uint32_t quarantine_half(unsigned class_index) {
    const size_t blocks = QUARANTINE_BYTES / 2 / hak_classes[class_index].block_size;
    if (blocks < QUARANTINE_HALF_MIN) {
        return QUARANTINE_HALF_MIN;
    }
    return blocks > QUARANTINE_HALF_MAX ? QUARANTINE_HALF_MAX : (uint32_t)blocks;
}

static void *quarantine_exchange(void **place, void *p) {
    void *before = *place;
    *place = p;
    return before;
}

/* One of the first `half` places, by the low bits: at most 256 in 65,536, so that no place is a 256th likelier than another. */
HAK_ALWAYS_INLINE uint32_t quarantine_choice(uint64_t random, uint32_t half) {
    return (uint32_t)(random & (((uint32_t)1 << QUARANTINE_CHOICE_BITS) - 1)) * half >> QUARANTINE_CHOICE_BITS;
}

/* The queue in another order: in the child of a fork, whose siblings have the same one. */
static HAK_COLD void quarantine_renew_locked(struct quarantine *quarantine, uint32_t half, uint64_t era) {
    for (uint32_t i = half; quarantine->era != 0 && i > 1; i--) {
        void **last = &quarantine->queue[i - 1];
        *last = quarantine_exchange(&quarantine->queue[guard_random_below(i)], *last);
    }
    quarantine->era = era;
}

uint32_t hak_quarantine_pass(unsigned class_index, uint32_t thread, void *const *blocks, uint32_t count,
                             void **leaving) {
    struct quarantine *quarantine = &quarantines[class_index][thread % QUARANTINE_LANES];
    const uint32_t half = quarantine_half(class_index);
    uint32_t left = 0;
    uint64_t random = 0;
    lock_acquire(&quarantine->lock);
    const uint64_t era = hak_guard_random_this_era();
    if (HAK_UNLIKELY(quarantine->era != era)) {
        quarantine_renew_locked(quarantine, half, era);
    }
    uint32_t next = quarantine->next;
    for (uint32_t i = 0; i < count; i++) {
        random = i % QUARANTINE_CHOICES == 0 ? guard_random_bits() : random >> QUARANTINE_CHOICE_BITS;
        void *p = quarantine_exchange(&quarantine->places[quarantine_choice(random, half)], blocks[i]);
        if (p == NULL) {
            continue;
        }
        p = quarantine_exchange(&quarantine->queue[next], p);
        next = next + 1 == half ? 0 : next + 1;
        if (p != NULL) {
            leaving[left++] = p;
        }
    }
    quarantine->next = next;
    hak_count_add(&quarantine->count, (uint64_t)(count - left));
    lock_release(&quarantine->lock);
    return left;
}

static uint32_t quarantine_empty_locked(void **places, uint32_t half, void **leaving, uint32_t left) {
    for (uint32_t i = 0; i < half && left < QUARANTINE_BATCH; i++) {
        void *p = quarantine_exchange(&places[i], NULL);
        if (p != NULL) {
            leaving[left++] = p;
        }
    }
    return left;
}

static uint32_t quarantine_drain_lane(struct quarantine *quarantine, uint32_t half, void **leaving) {
    lock_acquire(&quarantine->lock);
    uint32_t left = quarantine_empty_locked(quarantine->queue, half, leaving, 0);
    left = quarantine_empty_locked(quarantine->places, half, leaving, left);
    hak_count_add(&quarantine->count, (uint64_t)0 - left);
    lock_release(&quarantine->lock);
    return left;
}

uint32_t hak_quarantine_drain(unsigned class_index, void **leaving) {
    uint32_t left = 0;
    for (unsigned lane = 0; lane < QUARANTINE_LANES && left == 0; lane++) {
        left = quarantine_drain_lane(&quarantines[class_index][lane], quarantine_half(class_index), leaving);
    }
    return left;
}

uint64_t hak_quarantine_blocks(unsigned class_index) {
    uint64_t blocks = 0;
    for (unsigned lane = 0; lane < QUARANTINE_LANES; lane++) {
        blocks += hak_load_relaxed(&quarantines[class_index][lane].count); /* Relaxed: a snapshot. */
    }
    return blocks;
}

static struct quarantine_span *huge_span(uint32_t position) {
    return &huge_queue[(huge_first + position) % QUARANTINE_HUGE_SPANS];
}

static struct quarantine_span huge_remove_locked(void) {
    const struct quarantine_span oldest = *huge_span(0);
    huge_first = (huge_first + 1) % QUARANTINE_HUGE_SPANS;
    huge_count--;
    huge_bytes -= oldest.bytes;
    return oldest;
}

bool hak_quarantine_pass_huge(const struct quarantine_span *span, struct quarantine_span *leaving) {
    bool leaves = true;
    lock_acquire(&quarantine_huge_lock);
    if (huge_count > 0 && (huge_count == QUARANTINE_HUGE_SPANS || huge_bytes + span->bytes > QUARANTINE_HUGE_BYTES)) {
        *leaving = huge_remove_locked();
    } else {
        huge_bytes += span->bytes;
        *huge_span(huge_count++) = *span;
        leaves = false;
    }
    lock_release(&quarantine_huge_lock);
    return leaves;
}

bool hak_quarantine_drain_huge(struct quarantine_span *leaving) {
    lock_acquire(&quarantine_huge_lock);
    const bool leaves = huge_count > 0;
    if (leaves) {
        *leaving = huge_remove_locked();
    }
    lock_release(&quarantine_huge_lock);
    return leaves;
}

bool hak_quarantine_has_huge(const void *p) {
    bool found = false;
    lock_acquire(&quarantine_huge_lock);
    for (uint32_t i = 0; i < huge_count; i++) {
        const struct quarantine_span *span = huge_span(i);
        found |= (uintptr_t)p - (uintptr_t)span->start < span->bytes;
    }
    lock_release(&quarantine_huge_lock);
    return found;
}

void hak_quarantine_fork_locks(lock_visit *visit, struct lock_fork *fork) {
    for (unsigned i = QUARANTINE_LANES; i < HAK_CLASS_COUNT * QUARANTINE_LANES; i++) {
        visit(&quarantines[i / QUARANTINE_LANES][i % QUARANTINE_LANES].lock, fork);
    }
    visit(&quarantine_huge_lock, fork);
}
