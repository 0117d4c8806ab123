/* SPDX-License-Identifier: MIT */
/* See reading.h. */
#include "hakmem/magazine/reading.h"

#include "hakmem/ladder/branches.h"
#include "hakmem/os/os.h"
#include "hakmem/slab/moving.h"

/* A reader's loads take less; where it is stopped between them, the end of the thread sleeps. */
#define READING_LOOKS 1000

static void reading_leave(struct hak_thread *thread) {
    uint32_t word = hak_load_relaxed(&thread->tops);
    /* Release: pairs with the acquire of hak_reading_end, which comes after the loads of tops. There may be no reader where a
     * signal handler interrupted this one and forked: the child has cleared the word. */
    while (word >= RECORD_READER && !hak_compare_exchange_acq_rel(&thread->tops, &word, word - RECORD_READER)) {
    }
}

/* Whether the thread's tops may be followed, until reading_leave. Acquire: pairs with the release of hak_reading_allow. */
static bool reading_enter(struct hak_thread *thread) {
    if ((hak_load_acquire(&thread->tops) & RECORD_HAS_TOPS) == 0) {
        return false; /* without a store, which would make a page of a free record resident */
    }
    DISTURB();
    const bool may = (hak_fetch_add_acq_rel(&thread->tops, RECORD_READER) & RECORD_HAS_TOPS) != 0;
    DISTURB();
    if (!may) {
        reading_leave(thread);
    }
    return may;
}

/* Release: a reader that finds the flag finds the tops that were laid out. */
void hak_reading_allow(struct hak_thread *thread) { hak_fetch_or_release(&thread->tops, RECORD_HAS_TOPS); }

void hak_reading_end(struct hak_thread *thread) {
    DISTURB();
    /* Acquire-release: a reader's addition comes before, and is waited for, or after, and finds the flag gone. */
    hak_fetch_add_acq_rel(&thread->tops, (uint32_t)-RECORD_HAS_TOPS);
    DISTURB();
    /* Acquire: pairs with the release of reading_leave. */
    for (unsigned looks = 0; hak_load_acquire(&thread->tops) != 0; looks++) {
        if (looks >= READING_LOOKS) {
            hak_os_sleep_ms(1);
        }
    }
}

bool hak_reading_magazines(struct hak_thread *thread, unsigned class_index, struct reading_magazines *out) {
    /* Acquire, all: pairs with the release stores of exchanges and of free. What is read of one thread and of the next one of the
     * record would not fit together: who sees the tops of that sees that it began. */
    const uint64_t begun = hak_load_acquire(&thread->begun);
    out->loaded_unused = record_signed(hak_load_acquire(&thread->classes[class_index].loaded_unused));
    out->returned_unused = hak_load_acquire(&thread->classes[class_index].unused_slots);
    if (!reading_enter(thread)) {
        return false;
    }
    out->loaded = hak_load_acquire(&thread->loaded[class_index]);
    DISTURB();
    out->returned = hak_load_acquire(&thread->returned[class_index]);
    reading_leave(thread);
    return hak_load_relaxed(&thread->begun) == begun;
}

/* The counts of a class, with its magazines; NULL: there are none. */
static struct thread_class_totals reading_sum(const struct hak_thread *thread, unsigned class_index,
                                              const struct reading_magazines *magazines) {
    const struct hak_thread_class *counts = &thread->classes[class_index];
    struct thread_class_totals read = {.allocations = hak_load_acquire(&counts->allocations),
                                       .frees = hak_load_acquire(&counts->frees)};
    if (magazines != NULL) {
        const uint64_t loaded = reading_level(magazines->loaded, class_index, magazines->loaded_unused);
        const uint64_t returned = reading_level(magazines->returned, class_index, magazines->returned_unused);
        read.allocations += hak_load_acquire(&counts->loaded_level) - loaded;
        read.frees += returned - hak_load_acquire(&counts->returned_level);
        read.cached_blocks =
            loaded + returned + (uint64_t)hak_load_acquire(&counts->stashed) * hak_classes[class_index].magazine;
    }
    return read;
}

/* With the tops that hak_reading_add found: counts and unused slots of that moment, as long as the sequence is the same, since
 * only exchanges change them. false: it is not */
static bool reading_by_tops(struct hak_thread *thread, unsigned class_index, const struct reading_classes *classes,
                            struct thread_class_totals *out) {
    const struct reading_magazines magazines = {
        .loaded = classes->loaded[class_index],
        .returned = classes->returned[class_index],
        .loaded_unused = record_signed(hak_load_acquire(&thread->classes[class_index].loaded_unused)),
        .returned_unused = hak_load_acquire(&thread->classes[class_index].unused_slots),
    };
    *out = reading_sum(thread, class_index, &magazines);
    return hak_load_relaxed(&thread->sequence) == classes->sequence;
}

static struct thread_class_totals reading_try(struct hak_thread *thread, unsigned class_index) {
    struct reading_magazines magazines;
    const bool has_thread = hak_reading_magazines(thread, class_index, &magazines);
    return reading_sum(thread, class_index, has_thread ? &magazines : NULL);
}

struct thread_class_totals hak_reading_class(struct hak_thread *thread, unsigned class_index,
                                             const struct reading_classes *classes, uint32_t *sleeps) {
    struct thread_class_totals read;
    if (classes->has_tops && reading_by_tops(thread, class_index, classes, &read)) {
        return read;
    }
    for (unsigned tries = 0;; tries++) {
        /* Acquire, all: pairs with the release stores of exchanges; an even and unchanged sequence around
         * the loads means that no exchange fell between them, and that the thread neither began nor ended. */
        const uint32_t before = hak_load_acquire(&thread->sequence);
        read = reading_try(thread, class_index);
        DISTURB();
        const bool is_whole = before % 2 == 0 && hak_load_relaxed(&thread->sequence) == before;
        if (is_whole || (tries >= READING_TRIES && *sleeps == 0)) {
            return read;
        }
        if (tries >= READING_TRIES) {
            hak_os_sleep_ms(1);
            --*sleeps;
        }
    }
}

struct hak_reading_moves hak_reading_begin(void) {
    struct hak_reading_moves moves = {0};
    /* Pairs with the fence of hak_moving_begin: what was read before by relaxed loads was read before this look. */
    hak_fence_acquire();
    /* A free that hands a block to its owner at once changes a slab unseen, outside of any exchange. */
    moves.is_settled = hak_moving_look(&moves.outside) && !ladder_asks_owner();
    return moves;
}

/* The tops of all classes. pre: within reading_enter */
static void reading_add_tops(struct hak_reading_moves *moves, const struct hak_thread *thread,
                             struct reading_classes *classes) {
    for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT; class_index++) {
        /* Acquire: the next look at the sequence is not made before. */
        classes->returned[class_index] = hak_load_acquire(&thread->returned[class_index]);
        classes->loaded[class_index] = hak_load_acquire(&thread->loaded[class_index]);
        const uintptr_t between = (uintptr_t)classes->returned[class_index] - (uintptr_t)classes->loaded[class_index];
        moves->tops += between;
        /* A class that was never exchanged may have what free returned, and then its two magazines are of different levels. */
        if (between % MAGAZINE_BYTES != 0) {
            classes->words[class_index / 64] |= (uint64_t)1 << class_index % 64;
        }
    }
}

bool hak_reading_add(struct hak_reading_moves *moves, struct hak_thread *thread, struct reading_classes *classes) {
    /* Pairs with the fence of exchange_open: what was read before by relaxed loads was read before this look. */
    hak_fence_acquire();
    /* Acquire, here and below: the loads of the second pass are not made before it. */
    const uint32_t sequence = hak_load_acquire(&thread->sequence);
    moves->sequences += sequence;
    for (unsigned word = 0; word < RECORD_WORDS; word++) {
        classes->words[word] = hak_load_acquire(&thread->exchanged[word]);
    }
    const bool has_thread = reading_enter(thread);
    if (has_thread) {
        reading_add_tops(moves, thread, classes);
        reading_leave(thread);
    }
    /* The sequence once more, after the tops: an exchange in between could restore the old sum. */
    const bool is_settled = sequence % 2 == 0 && hak_load_acquire(&thread->sequence) == sequence;
    moves->is_settled &= is_settled;
    classes->sequence = sequence;
    classes->has_tops = has_thread && is_settled;
    return has_thread;
}

bool hak_reading_is_quiet(const struct hak_reading_moves *before, const struct hak_reading_moves *after) {
    return before->is_settled && after->is_settled && before->sequences == after->sequences &&
           before->tops == after->tops && before->outside == after->outside;
}
