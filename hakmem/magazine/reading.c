/* SPDX-License-Identifier: MIT */
/* See reading.h. */
#include "hakmem/magazine/reading.h"

#include "hakmem/ladder/branches.h"
#include "hakmem/slab/moving.h"

struct thread_class_totals hak_reading_class(const struct hak_thread *thread, unsigned class_index,
                                             uint32_t *attempts) {
    const struct hak_thread_class *counts = &thread->classes[class_index];
    struct thread_class_totals read = {0};
    for (bool again = true; again;) {
        /* Acquire, all: pairs with the release stores of exchanges; an even and unchanged sequence around
         * the loads means that no exchange fell between them. */
        const uint32_t before = hak_load_acquire(&thread->sequence);
        const uint32_t unused = hak_load_acquire(&counts->unused_slots);
        const uint64_t loaded = magazine_level(hak_load_acquire(&thread->loaded[class_index]), class_index) - unused;
        const uint64_t returned =
            magazine_level(hak_load_acquire(&thread->returned[class_index]), class_index) - unused;
        read.allocations = hak_load_acquire(&counts->allocations) + hak_load_acquire(&counts->loaded_level) - loaded;
        read.frees = hak_load_acquire(&counts->frees) + returned - hak_load_acquire(&counts->returned_level);
        read.cached_blocks =
            loaded + returned + (uint64_t)hak_load_acquire(&counts->stashed) * hak_classes[class_index].magazine;
        const bool is_whole = before % 2 == 0 && hak_load_relaxed(&thread->sequence) == before;
        again = !is_whole && *attempts != 0;
        *attempts -= again;
    }
    return read;
}

struct hak_reading_moves hak_reading_moves(const struct hak_thread *living) {
    struct hak_reading_moves moves = {0};
    /* Pairs with the fences of exchange_enter and hak_moving_begin: everything that was read since the first call, by
     * relaxed loads, was read before this second call. */
    hak_fence_acquire();
    /* A free that hands a block to its owner at once changes a slab unseen, outside of any exchange. */
    moves.is_settled = hak_moving_look(&moves.outside) && !ladder_asks_owner();
    for (const struct hak_thread *thread = living; thread != NULL; thread = thread->next) {
        /* Acquire, here and below: the loads of the second call are not made before it. */
        const uint32_t sequence = hak_load_acquire(&thread->sequence);
        moves.sequences += sequence;
        for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT; class_index++) {
            moves.tops += (uintptr_t)hak_load_acquire(&thread->returned[class_index]) -
                          (uintptr_t)hak_load_acquire(&thread->loaded[class_index]);
        }
        /* The sequence once more, after the tops: an exchange in between could restore the old sum. */
        moves.is_settled &= sequence % 2 == 0 && hak_load_acquire(&thread->sequence) == sequence;
    }
    return moves;
}

bool hak_reading_is_quiet(const struct hak_reading_moves *before, const struct hak_reading_moves *after) {
    return before->is_settled && after->is_settled && before->sequences == after->sequences &&
           before->tops == after->tops && before->outside == after->outside;
}
