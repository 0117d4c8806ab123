/* A record that threads have one after the other, beside a reader of its counts: thread.c, reading.c, on a machine that shows
 * stores and does relaxed loads in any order.
 *
 * Each thread takes one block. Its top lies in its own storage, which is gone after its end, and the reader must not touch it
 * then. Wherever the reader found one even sequence around its loads, it knows how many blocks all threads took: each is counted
 * once, whether its thread lives, ends or has ended.
 *
 * Each MUTANT_... leaves out one step or order of the C code, or moves the counts of ended threads elsewhere. */

#define WORDS 5
#define SEQUENCE 0
#define TOP 1    /* of the loaded magazine, in the thread's storage */
#define COUNT 2  /* own.allocations, of all threads of the record */
#define LEVEL 3  /* own.loaded_level */
#define LOADED 4 /* thread->loaded: whose storage it leads into */

#include "weak_memory.pml"

#ifndef ROUNDS
#define ROUNDS 2
#endif

#define HAS_TOPS 1
#define READER 2

byte tops;          /* of the record; changed by atomic operations only */
bool storage_there; /* the thread's own */
byte thread = 0;    /* which has it, from 1 */
#ifdef MUTANT_COUNTS_MOVE
short ended_count; /* what ended threads counted, seen at once by all */
#endif

inline exchange_open() {
    sequence++;
    store(SEQUENCE, sequence); /* hak_store_relaxed(&thread->sequence) */
    drain() /* hak_fence_release */
}

inline exchange_leave() {
    sequence++;
    drain(); /* hak_store_release(&thread->sequence) */
    store(SEQUENCE, sequence)
}

/* A thread's storage is laid out differently from the last one's: its magazine begins elsewhere. */
inline lay_out() {
    storage_there = true;
    thread++;
    store(LOADED, thread);
    store(LEVEL, round);
    store(TOP, round)
}

active proctype owner() {
    byte round = 0, sequence = 0, count = 0;
    do
    :: round < ROUNDS ->
        /* hak_thread_begin */
        exchange_open();
        lay_out();
#ifndef MUTANT_ALLOW_RELAXED
        drain(); /* hak_reading_allow: hak_fetch_or_release(&thread->tops) */
#endif
        tops = tops | HAS_TOPS;
        exchange_leave();
        /* exchange_refill */
        exchange_open();
        store(TOP, round + 1);
        store(LEVEL, round + 1);
        exchange_leave();
        /* magazine_pop */
        store(TOP, round);
        /* thread_end: hak_exchange_flush */
        exchange_open();
        count++;
        store(COUNT, count);
        store(LEVEL, round);
        exchange_leave();
        exchange_open();
        /* hak_reading_end: hak_fetch_add_acq_rel, then hak_load_acquire until no reader is left */
        drain();
        tops = tops - HAS_TOPS;
#ifndef MUTANT_NO_WAIT
        tops == 0;
#endif
        storage_there = false;
#ifdef MUTANT_COUNTS_MOVE
        ended_count = round + 1;
        count = 0;
        store(COUNT, 0);
#endif
        exchange_leave();
        round++
    :: else -> break
    od;
    writer_ended = true
}

/* Four changes of the sequence by two: begin, refill, flush, end. Between the second and the third the block is taken or not. */
#define IS_TAKEN(sequence, taken)                                                                      \
    ((taken) == (sequence) / 8 + ((sequence) % 8 == 6 -> 1 : 0) ||                                     \
     ((sequence) % 8 == 4 && (taken) == (sequence) / 8 + 1))

inline load_top() {
    assert(storage_there && visible[LOADED] == thread);
    top = visible[TOP] /* hak_load_acquire(&thread->loaded[class_index]) */
}

active proctype reader() { /* hak_reading_class */
    short sequence, count, level, top, ended;
    bool has_tops;
#ifdef MUTANT_COUNTS_MOVE
    ended = ended_count;
#endif
    sequence = visible[SEQUENCE]; /* hak_load_acquire, all */
    count = visible[COUNT];
    /* reading_enter */
#ifdef MUTANT_NO_ADD
    has_tops = tops & HAS_TOPS;
#else
    atomic { has_tops = tops & HAS_TOPS; tops = tops + READER } /* hak_fetch_add_acq_rel */
#endif
    if
    :: has_tops ->
#ifndef MUTANT_LEAVE_RELAXED
        load_top()
#endif
    :: else
    fi;
#ifndef MUTANT_NO_ADD
    tops = tops - READER; /* reading_leave: hak_compare_exchange_acq_rel */
#endif
    if
    :: has_tops ->
#ifdef MUTANT_LEAVE_RELAXED
        load_top();
#endif
        level = visible[LEVEL];
        count = count + level - top
    :: else
    fi;
    /* An even and unchanged sequence. */
    assert(sequence % 2 != 0 || visible[SEQUENCE] != sequence || IS_TAKEN(sequence, count + ended))
}
