/* The profile's table: sample/tally.c, sample/record.c and profile.c, beside two threads that sample and a reader, on a machine that
 * shows stores in any order.
 *
 * Each thread samples a block of another size by the same path of calls. It looks for the record without a lock of the table, claims one
 * under the records lock where there is none, and counts the block under the lock of the block's class; the second thread then
 * frees the first one's block. A reader copies what is in use, as tools do.
 *
 * What must hold, and where it is asserted:
 *     what is found of a path is whole                                       look
 *     what is in use is whole, and no more is freed than was allocated       reader
 *     each size has its record, found by the index, and the path's callers
 *     are kept once                                                          reader, in the end
 *
 * Each MUTANT_... leaves out one order or look that the C code has, or a lock; the search must find what it is for. */

#define WRITERS 2
#define WORDS 7
#define INDEX 0 /* two entries, where the path's hash leads: number of a record, and one more; 0: none */
#define RECORD 2 /* two of them: their sizes, 1 and 2; 0: nothing is written */
#define FRAMES 4 /* of the path */
#define USED 5
#define ALLOCATIONS 6 /* of the first thread's size */

#include "weak_threads.pml"

#define NOBODY 0

byte records_lock = NOBODY, class_locks[2] = NOBODY;
byte frees;     /* of the first thread's size; changed by atomic operations that release */
bool is_handed; /* the first thread's block, to the other */
byte kept;      /* known to the model only: how often the callers were stored */

#ifdef MUTANT_NO_RECORDS_LOCK
#define records_lock unlocked[me] /* each thread has one of its own */
byte unlocked[2] = NOBODY;
#endif

inline acquire(lock) { atomic { lock == NOBODY -> lock = _pid } }
inline release(lock) { drain(); atomic { assert(lock == _pid); lock = NOBODY } }

/* record_look_for */
inline look() {
    atomic { slot = 0; found = false; same_path = false };
    do
    :: slot < 2 ->
        entry = LOOK(INDEX + slot); /* hak_load_acquire(&table->index[look.slot]) */
        if
        :: entry == 0 -> break
        :: else ->
            assert(LOOK(RECORD + entry - 1) != 0 && LOOK(FRAMES) == 1);
            if
            :: LOOK(RECORD + entry - 1) == me + 1 -> found = true; break
            :: else -> same_path = true; slot++
            fi
        fi
    :: else -> break
    od
}

/* record_add */
inline add() {
    number = LOOK(USED);
#ifdef MUTANT_USED_FIRST
    store(USED, number + 1);
#endif
#ifdef MUTANT_INDEX_RELAXED
    store(INDEX + slot, number + 1);
#endif
    store(RECORD + number, me + 1);
    if
    :: same_path
    :: else -> kept++; store(FRAMES, 1) /* record_keep_callers */
    fi;
#ifndef MUTANT_INDEX_RELAXED
    drain();
    store(INDEX + slot, number + 1); /* hak_store_release(&table->index[look->slot]) */
#endif
#ifndef MUTANT_USED_FIRST
    drain();
    store(USED, number + 1) /* hak_store_release(&table->used) */
#endif
}

/* hak_tally_record: hak_record_find; and where it finds none hak_record_claim, which looks again */
inline tally_record() {
    do
    :: look();
        if
        :: found -> break
        :: !found && records_lock == _pid -> add(); break
        :: else ->
            acquire(records_lock)
#ifdef MUTANT_NO_LOOK_UNDER_LOCK
            ;
            add();
            break
#endif
        fi
    od;
    if
    :: records_lock == _pid -> release(records_lock)
    :: else
    fi
}

/* hak_tally_allocation: hak_fetch_add_relaxed */
inline tally_allocation() {
    if
    :: me == 0 -> store(ALLOCATIONS, 1)
    :: else
    fi
}

proctype sampler(byte me) {
    byte slot, entry, number;
    bool found, same_path, is_second;
    acquire(class_locks[me]);
    do
    :: tally_record();
        if
        :: is_second -> break
        :: else -> is_second = true /* another sample of the size finds the record */
        fi
    od;
#ifdef MUTANT_COUNT_BEHIND_LOCK
    release(class_locks[me]);
    is_handed = is_handed || me == 0;
    tally_allocation();
    drain();
#else
    tally_allocation();
    release(class_locks[me]);
    is_handed = is_handed || me == 0;
#endif
    if
    :: me == 1 ->
        is_handed;
        acquire(class_locks[0]);
        drain();
        frees++; /* hak_tally_free: hak_fetch_add_acq_rel */
        release(class_locks[0])
    :: else
    fi;
    writers_ended++
}

active proctype reader() {
    byte used, freed, allocated;
    used = visible[USED]; /* hak_record_count: hak_load_acquire */
    assert(used == 0 || (visible[RECORD] != 0 && visible[FRAMES] == 1));
    assert(used <= 1 || visible[RECORD + 1] != 0);
#ifdef MUTANT_ALLOCATIONS_FIRST
    allocated = visible[ALLOCATIONS];
    freed = frees;
#else
    freed = frees; /* hak_record_read: hak_load_acquire(&record->frees) */
    allocated = visible[ALLOCATIONS];
#endif
    assert(allocated >= freed);
    writers_ended == WRITERS && IS_DRAINED(0) && IS_DRAINED(WORDS);
    assert(visible[USED] == 2 && visible[RECORD] + visible[RECORD + 1] == 3 && kept == 1);
    assert(visible[INDEX] + visible[INDEX + 1] == 3)
}

init { atomic { run sampler(0); run sampler(1) } }
