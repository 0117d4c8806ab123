/* Readings of statistics and walks beside the thread whose magazines and slabs they read: exchange.h, magazine_fast.h, reading.c,
 * walk.c, on a machine that shows stores and does relaxed loads in any order.
 *
 * One block goes round: out of its slab into the loaded magazine, to the program, into the returned magazine, back to the slab.
 * One step is one access of the C code. The reader may begin at any time, and where it says that nothing moved, it knows
 * whether the block is live.
 *
 * Each MUTANT_... leaves out one order that the C code asks for; the search must find what it is for. */

#define WORDS 5
#define SEQUENCE 0
#define FREE_BIT 1 /* of the block's slab */
#define SLOT 2     /* of the returned magazine: 1, the block; 0, what was there before */
#define LOADED 3   /* tops, by how many blocks lie below; the loaded magazine's slot is written with the bit */
#define RETURNED 4

#include "weak_memory.pml"

#ifndef ROUNDS
#define ROUNDS 2
#endif

inline exchange_enter() {
    sequence++;
    store(SEQUENCE, sequence); /* hak_store_relaxed(&thread->sequence) */
#ifndef MUTANT_NO_RELEASE_FENCE
    drain() /* hak_fence_release */
#endif
}

inline exchange_leave() {
    sequence++;
#ifndef MUTANT_LEAVE_RELAXED
    drain(); /* hak_store_release(&thread->sequence) */
#endif
    store(SEQUENCE, sequence)
}

active proctype owner() {
    byte round = 0, sequence = 0;
    store(FREE_BIT, 1);
    do
    :: round < ROUNDS ->
        /* exchange_refill. The stores to tops are relaxed here: the fence orders them. */
        exchange_enter();
        store(FREE_BIT, 0);
        store(LOADED, 1);
        exchange_leave();
        /* magazine_pop */
        store(LOADED, 0);
        /* magazine_push */
        store(SLOT, 1); /* hak_store_owned(top) */
#ifndef MUTANT_PUSH_RELAXED
        drain(); /* hak_move_owned_release(&hak_returned[class_index]) */
#endif
        store(RETURNED, 1);
        /* exchange_flush_oldest; the slot gets another block's address, as later rounds would leave there */
        exchange_enter();
        store(FREE_BIT, 1);
        store(RETURNED, 0);
        store(SLOT, 0);
        exchange_leave();
        round++
    :: else -> break
    od;
    writer_ended = true
}

/* Where the block is live, by what the owner had done when sequence and tops were these. */
#define IS_LIVE(sequence, loaded, returned) ((sequence) % 4 == 2 && (loaded) == 0 && (returned) == 0)

/* hak_load_relaxed(&slab->free_bits[word]): done in its turn or later, up to the fence. */
inline may_load_bit() {
    if
    :: !has_bit -> free_bit = visible[FREE_BIT]; has_bit = true
    :: true
    fi
}

active proctype reader() {
    short sequence, loaded, returned, in_loaded, in_returned, free_bit;
    bool has_bit = false, slot_is_block = false, is_quiet = true;
    /* The owner's first stores, which lay out what the reader finds at the earliest. */
    visible[FREE_BIT] == 1 || visible[SEQUENCE] != 0;
    /* hak_reading_add: all loads acquire, hence in order */
    sequence = visible[SEQUENCE];
    loaded = visible[LOADED];
    returned = visible[RETURNED];
    is_quiet = sequence % 2 == 0 && visible[SEQUENCE] == sequence;
    /* walk_note_slab, walk_forget_magazines */
    may_load_bit();
    in_loaded = visible[LOADED]; /* hak_load_acquire(&thread->loaded[class_index]) */
    in_returned = visible[RETURNED]; /* hak_load_acquire(&thread->returned[class_index]) */
    may_load_bit();
    slot_is_block = visible[SLOT]; /* hak_load_acquire(top - i), where it is below the top */
#ifndef MUTANT_NO_ACQUIRE_FENCE
    if
    :: !has_bit -> free_bit = visible[FREE_BIT]; has_bit = true
    :: else
    fi;
#endif
    /* hak_reading_add: hak_fence_acquire, then as above */
    is_quiet = is_quiet && visible[SEQUENCE] == sequence;
    is_quiet = is_quiet && visible[LOADED] == loaded;
    is_quiet = is_quiet && visible[RETURNED] == returned;
#ifndef MUTANT_NO_LOOK_AGAIN
    is_quiet = is_quiet && visible[SEQUENCE] == sequence;
#endif
#ifdef MUTANT_NO_ACQUIRE_FENCE
    if
    :: !has_bit -> free_bit = visible[FREE_BIT]; has_bit = true
    :: else
    fi;
#endif
    /* reading_is_quiet: then the walk was exact */
    assert(!is_quiet || (free_bit == 0 && in_loaded == 0 && !(in_returned == 1 && slot_is_block)) ==
                            IS_LIVE(sequence, loaded, returned))
}
