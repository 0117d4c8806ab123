/* Records and slabs of threads that begin, stand idle and end, and the child of a fork that falls anywhere among that: thread.c,
 * record_list.c, idle.c, exchange_hold.h, exchange_flush.c, partial.c, process/purge_pass.c and process/fork.c.
 *
 * Threads begin with a record that another one left, take blocks from a slab that they claim, free any block, and end. A purger takes
 * the slabs of idle threads away, and the pages of records without a thread. One more thread forks: from there the search goes
 * on in the parent and, apart, in the child, where no other thread makes a step any more.
 *
 * A free into another's slab is one step here: slab_state.pml is about its steps. One step is one access of the C code, sequentially
 * consistent, or plain accesses to what nobody else may touch meanwhile, which is asserted. The child of a fork has a prefix of
 * each thread's stores.
 *
 * What must hold, and where it is asserted:
 *     plain data of a slab is touched by one thread at a time      touch
 *     a record is one thread's, and its pages last as long         check_record
 *     no block is in two places                                    slab_put
 *     nothing is lost when all threads have ended                  init
 *     a child can take every lock, and has lost nothing but what
 *     threads had that were in the middle of an exchange           check_child
 *     no deadlock                                                  spin's check of end states
 *
 * Each MUTANT_... makes one plausible mistake, which the search must find by the harm that it does. */

#ifndef SLABS
#define SLABS 1 /* 1 or 2 */
#endif
#ifndef BLOCKS
#define BLOCKS 2 /* of a slab */
#endif
#ifndef RECORDS
#define RECORDS 1 /* 1 or 2; fewer than threads, which then have each other's */
#endif
#ifndef THREADS
#define THREADS 2
#endif
#ifndef PASSES
#define PASSES 1 /* of the purger */
#endif
#ifndef FORKS
#define FORKS 1
#endif

#define NOBODY 100 /* no process and no record has this number */
#define NONE 100   /* no slab, and no record */

/* record_list.h: what `link` says. */
#define HELD 0
#define RECYCLED 1
#define PURGED 2
#define WITHHELD 3

/* exchange_hold.h */
#define HOLDER_NONE 0
#define HOLDER_OWNER 1
#define HOLDER_OTHER 2

typedef thread_record {
    byte link = RECYCLED;
    byte holder;
    byte active_slab = NONE;
    byte magazine; /* blocks, as a set; the loaded and the returned one are one here */
    bool is_odd;   /* the sequence */
    bool has_tops;

    byte user = NOBODY; /* known to the model only: whose it is */
};
thread_record records[RECORDS];

typedef slab_descriptor {
    byte owner = NOBODY;  /* a record's number */
    byte free;            /* blocks, as a set: free_bits */
    byte remote;          /* likewise: remote_bits */
    bool is_owned;        /* OWNED; else FULL, or where it is listed PARTIAL */
    bool is_listed;

    byte toucher = NOBODY; /* known to the model only: who is at its plain data */
};
slab_descriptor slabs[SLABS];

byte purge_lock = NOBODY, threads_lock = NOBODY, class_lock = NOBODY;
byte live;     /* blocks that the program has, as a set */
byte running;  /* threads that have not ended */
bool is_child; /* this is the child of a fork */

#define BLOCKS_OF(s) (((1 << BLOCKS) - 1) << ((s) * BLOCKS))
#define SLAB_OF(block) ((block) > BLOCKS_OF(0))
#define LOWEST(bits) ((bits) & -(bits))
#define IN_SLAB(block) ((slabs[SLAB_OF(block)].free | slabs[SLAB_OF(block)].remote) & (block))

#if SLABS == 1
#define CHOOSE_LISTED() if :: slabs[0].is_listed -> slab = 0 :: else -> slab = NONE fi
#else
#define CHOOSE_LISTED()                                                                   \
    if                                                                                    \
    :: slabs[0].is_listed -> slab = 0                                                     \
    :: slabs[1].is_listed -> slab = 1                                                     \
    :: else -> slab = NONE                                                                \
    fi
#endif

#define CAN_BE_TAKEN(r) (records[r].link == RECYCLED || records[r].link == PURGED)
#if RECORDS == 1
#define ANY_TO_TAKE CAN_BE_TAKEN(0)
#define CHOOSE_RECORD() own = 0
#else
#define ANY_TO_TAKE (CAN_BE_TAKEN(0) || CAN_BE_TAKEN(1))
#define CHOOSE_RECORD() if :: CAN_BE_TAKEN(0) -> own = 0 :: CAN_BE_TAKEN(1) -> own = 1 fi
#endif

inline acquire(lock) { atomic { lock == NOBODY -> lock = _pid } }
inline release(lock) { atomic { assert(lock == _pid); lock = NOBODY } }

/* Around plain accesses to a slab; another's may come in between. */
inline touch(s) { atomic { assert(slabs[s].toucher == NOBODY); slabs[s].toucher = _pid } }
inline touched(s) { atomic { assert(slabs[s].toucher == _pid); slabs[s].toucher = NOBODY } }

#define check_record() assert(records[own].user == _pid)

inline slab_put(bits, block) {
    assert(!IN_SLAB(block) && !(live & (block)));
    bits = bits | (block)
}

/* exchange_open, exchange_enter; exchange_leave */
inline enter() { atomic { check_record(); records[own].is_odd = true } }
inline leave() { atomic { check_record(); records[own].is_odd = false } }

inline hold() {
#ifdef MUTANT_OWNER_DOES_NOT_HOLD
    skip
#else
    /* hak_compare_exchange_acq_rel(holder), and hak_exchange_hold_rest */
    atomic { records[own].holder == HOLDER_NONE -> records[own].holder = HOLDER_OWNER }
#endif
}

inline let_go() { atomic { check_record(); records[own].holder = HOLDER_NONE } }

/* partial_relist_locked, under the class lock */
inline relist(s) {
    acquire(class_lock);
    if
    :: !slabs[s].is_owned && (slabs[s].free | slabs[s].remote) != 0 -> slabs[s].is_listed = true
    :: else
    fi;
    release(class_lock)
}

/* hak_slab_detach */
inline detach(s) {
    touch(s);
    slabs[s].owner = NOBODY; /* hak_store_relaxed(&slab->owner) */
    atomic {
        touched(s);
        slabs[s].is_owned = false /* hak_fetch_add_acq_rel(&slab->control) */
    };
    relist(s)
}

/* exchange_active_slab: hak_partial_claim and hak_slab_claim */
inline claim() {
    acquire(class_lock);
    atomic {
        CHOOSE_LISTED();
        if
        :: slab != NONE -> slabs[slab].is_listed = false; slabs[slab].is_owned = true
        :: else
        fi
    };
    release(class_lock);
    if
    :: slab != NONE ->
        slabs[slab].owner = own;
        atomic { check_record(); records[own].active_slab = slab }
    :: else
    fi
}

/* exchange_refill: hak_slab_drain and hak_slab_take, of the lowest free block */
inline refill() {
    touch(slab);
    atomic { slabs[slab].free = slabs[slab].free | slabs[slab].remote; slabs[slab].remote = 0 };
    if
    :: slabs[slab].free != 0 ->
        block = LOWEST(slabs[slab].free);
        slabs[slab].free = slabs[slab].free & ~block;
        atomic { check_record(); records[own].magazine = records[own].magazine | block }
    :: else
    fi;
    touched(slab)
}

/* hak_exchange_flush_blocks, of one: the bit first, then the top, as in exchange_flush_magazine */
inline flush_one() {
    block = LOWEST(records[own].magazine);
    if
    :: slabs[SLAB_OF(block)].is_owned && slabs[SLAB_OF(block)].owner == own ->
        touch(SLAB_OF(block));
        atomic { slab_put(slabs[SLAB_OF(block)].free, block) };
        touched(SLAB_OF(block))
    :: else ->
        atomic { slab_put(slabs[SLAB_OF(block)].remote, block) };
        relist(SLAB_OF(block))
    fi;
    atomic { check_record(); records[own].magazine = records[own].magazine & ~block; block = 0 }
}

/* hak_exchange_flush, with hak_exchange_give_up_slabs */
inline flush() {
    enter();
    hold();
    do
    :: records[own].magazine != 0 -> flush_one()
    :: else -> break
    od;
#ifndef MUTANT_END_KEEPS_SLAB
    if
    :: records[own].active_slab != NONE ->
        detach(records[own].active_slab);
        atomic { check_record(); records[own].active_slab = NONE }
    :: else
    fi;
#endif
    let_go();
    leave()
}

/* hak_record_recycle, under the threads lock */
inline recycle() {
    acquire(threads_lock);
    atomic { check_record(); records[own].link = RECYCLED; records[own].user = NOBODY };
    release(threads_lock)
}

/* hak_thread_begin */
inline begin() {
    atomic { ANY_TO_TAKE && threads_lock == NOBODY -> threads_lock = _pid };
    atomic {
        CHOOSE_RECORD();
        assert(records[own].user == NOBODY);
        records[own].link = HELD;
        records[own].user = _pid;
        records[own].active_slab = NONE; /* thread_clear; what is lost by that is missing in the end */
        records[own].magazine = 0
    };
    enter();
    records[own].has_tops = true;
    leave();
    release(threads_lock)
}

proctype thread() {
    byte own = NONE, slab = NONE, block = 0;
    {
        begin();
        do
        :: records[own].magazine == 0 ->
            enter();
            hold();
            slab = records[own].active_slab;
            if
            :: slab == NONE -> claim()
            :: else
            fi;
            if
            :: slab != NONE -> refill()
            :: else
            fi;
            atomic { slab = NONE; block = 0 };
            let_go();
            leave()
        :: atomic { /* magazine_pop */
            records[own].magazine != 0 ->
            block = LOWEST(records[own].magazine);
            assert(!IN_SLAB(block) && !(live & block)); /* given out once */
            records[own].magazine = records[own].magazine & ~block;
            live = live | block;
            block = 0
        }
        :: atomic { live != 0 -> records[own].magazine = records[own].magazine | LOWEST(live); live = live & ~LOWEST(live) }
        :: records[own].magazine != 0 -> enter(); hold(); flush_one(); let_go(); leave()
        :: atomic { running > 1 || live == 0 -> running-- }; break
        od;
        /* thread_end */
#ifdef MUTANT_RECYCLE_BEFORE_FLUSH
        acquire(threads_lock);
        records[own].link = RECYCLED;
        release(threads_lock);
#endif
        flush();
        enter();
        records[own].has_tops = false; /* hak_reading_end */
        leave();
        recycle()
    } unless { is_child }
}

/* hak_idle_take_slabs, of one record; a pass takes them from every thread, however busy. */
inline take_idle(r) {
    acquire(threads_lock);
    if
    :: records[r].link == HELD ->
#ifdef MUTANT_IDLE_DOES_NOT_HOLD
        skip;
#else
        if
        :: atomic { records[r].holder == HOLDER_NONE -> records[r].holder = HOLDER_OTHER }; skip
        :: atomic { records[r].holder != HOLDER_NONE -> goto took }
        fi;
#endif
        slab = records[r].active_slab;
        if
        :: slab != NONE ->
#ifndef MUTANT_IDLE_KEEPS_OWNER
            slabs[slab].owner = NOBODY;
#endif
#ifndef MUTANT_IDLE_LEAVES_ACTIVE
            records[r].active_slab = NONE
#endif
        :: else
        fi;
        records[r].holder = HOLDER_NONE
    :: else
    fi;
took:
    release(threads_lock);
#ifdef MUTANT_IDLE_KEEPS_OWNER
    if
    :: slab != NONE ->
        atomic { slabs[slab].is_owned = false };
        relist(slab);
        slab = NONE
    :: else
    fi;
#endif
    if
    :: slab != NONE -> detach(slab); slab = NONE
    :: else
    fi
}

/* hak_record_purge_piece, of one record */
inline purge_record(r) {
    acquire(threads_lock);
    if
    :: records[r].link == RECYCLED ->
#ifndef MUTANT_PURGE_LEAVES_RECORD_LISTED
        records[r].link = WITHHELD;
#endif
        release(threads_lock);
        atomic { assert(records[r].user == NOBODY); records[r].magazine = 0 }; /* hak_record_purge */
        acquire(threads_lock);
        records[r].link = PURGED
    :: else
    fi;
    release(threads_lock)
}

proctype purger() {
    byte slab = NONE, passes = 0;
    {
        do
        :: passes < PASSES ->
            acquire(purge_lock);
            take_idle(passes % RECORDS);
            purge_record(passes % RECORDS);
            release(purge_lock);
            passes++
        :: else -> break
        od
    } unless { is_child }
}

/* thread_retire_locked of one record; `odd`: how many were in an exchange. */
inline retire(r) {
    if
    :: records[r].link != HELD -> skip
    :: else ->
        odd = odd + records[r].is_odd;
        if
#ifndef MUTANT_CHILD_FLUSHES_ODD
        :: records[r].is_odd -> records[r].link = NOBODY /* hak_record_withhold: for good */
#endif
        :: else ->
            if
            :: records[r].has_tops ->
                do
                :: records[r].magazine != 0 ->
                    block = LOWEST(records[r].magazine);
                    records[r].magazine = records[r].magazine & ~block;
                    slab_put(slabs[SLAB_OF(block)].remote, block);
                    slabs[SLAB_OF(block)].is_listed = !slabs[SLAB_OF(block)].is_owned
                :: else -> break
                od;
                if
                :: records[r].active_slab != NONE ->
                    slabs[records[r].active_slab].is_owned = false;
                    slabs[records[r].active_slab].is_listed =
                        (slabs[records[r].active_slab].free | slabs[records[r].active_slab].remote) != 0;
                    records[r].active_slab = NONE
                :: else
                fi
            :: else
            fi;
            records[r].link = RECYCLED
        fi
    fi
}

/* Where the child has lost something it is what a thread in an exchange had. */
inline check_child() {
    for (i : 0 .. SLABS - 1) {
        assert(odd > 0 || !slabs[i].is_owned);
        assert(odd > 0 || slabs[i].is_listed == ((slabs[i].free | slabs[i].remote) != 0));
        assert((slabs[i].free & slabs[i].remote) == 0 && ((slabs[i].free | slabs[i].remote) & live) == 0);
        assert(odd > 0 || (slabs[i].free | slabs[i].remote | live & BLOCKS_OF(i)) == BLOCKS_OF(i))
    }
    for (i : 0 .. RECORDS - 1) {
        assert(records[i].link != WITHHELD)
    }
}

/* fork_acquire; then the search goes on in both. */
proctype forker() {
    byte forks = 0, odd = 0, block = 0, i = 0;
    do
    :: forks < FORKS ->
#ifdef MUTANT_FORK_TAKES_CLASS_LOCK_FIRST
        acquire(class_lock);
#endif
#ifndef MUTANT_FORK_LEAVES_PURGE_LOCK
        acquire(purge_lock);
#endif
#ifndef MUTANT_FORK_LEAVES_THREADS_LOCK
        acquire(threads_lock);
#endif
#if !defined(MUTANT_FORK_LEAVES_CLASS_LOCK) && !defined(MUTANT_FORK_TAKES_CLASS_LOCK_FIRST)
        acquire(class_lock);
#endif
        forks++;
        if
        :: atomic {
            is_child = true; /* fork_child */
            assert(class_lock == NOBODY || class_lock == _pid);
            assert(threads_lock == NOBODY || threads_lock == _pid);
            assert(purge_lock == NOBODY || purge_lock == _pid);
            for (i : 0 .. RECORDS - 1) {
                retire(i)
            }
            check_child()
        }; break
        :: skip /* fork_parent */
        fi;
#ifndef MUTANT_FORK_LEAVES_CLASS_LOCK
        release(class_lock);
#endif
#ifndef MUTANT_FORK_LEAVES_THREADS_LOCK
        release(threads_lock);
#endif
#ifndef MUTANT_FORK_LEAVES_PURGE_LOCK
        release(purge_lock)
#endif
    :: else -> break
    od
}

init {
    byte i = 0;
    atomic {
        for (i : 0 .. SLABS - 1) {
            slabs[i].free = BLOCKS_OF(i);
            slabs[i].is_listed = true
        }
        running = THREADS;
        for (i : 1 .. THREADS) {
            run thread()
        }
        run purger();
        run forker()
    }
    _nr_pr == 1 || is_child;
    atomic {
        if
        :: is_child
        :: else ->
            for (i : 0 .. SLABS - 1) {
                assert(!slabs[i].is_owned && slabs[i].is_listed && (slabs[i].free | slabs[i].remote) == BLOCKS_OF(i))
            }
            for (i : 0 .. RECORDS - 1) {
                assert(records[i].link == RECYCLED || records[i].link == PURGED)
            }
        fi
    }
}
