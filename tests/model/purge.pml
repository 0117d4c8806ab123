/* Who gives freed memory back to the system, and that somebody does: decay.c, own_thread.c, purge.c, purge_pass.c and
 * purge_thread.c of process/, region_purge.c.
 *
 * Threads of the program take a chunk, write to it, free it, and poll: a poll purges itself, starts a thread of our own, or leaves
 * it to the one that runs. That thread purges while something waits, then leaves. The thread of the program that leaves fewer than FEWEST
 * behind ends it and waits for it. One step is one access of the C code, or what is done under the region lock; sequentially consistent,
 * since dekker.pml is about the pairs that need it.
 *
 * What must hold, and where it is asserted:
 *     nobody's chunk is purged while it is in use                           use
 *     what was freed is purged, or a look for it is scheduled               init
 *     a poll that leaves what is due to a thread of ours finds it done      own_thread, where it ends; init, if the thread was ended
 *     one thread of ours at a time, joined once, and none outlives the
 *     program's last                                                        start_thread, join, init
 *     none is there where fewer than FEWEST of the program's threads are    user
 *     no deadlock                                                           spin's check of end states
 *
 * Each MUTANT_... makes one plausible mistake, which the search must find by the harm that it does. */

#ifndef USERS
#define USERS 2
#endif
#ifndef ROUNDS
#define ROUNDS 1 /* chunks that each takes and frees */
#endif
#ifndef FEWEST
#define FEWEST 1 /* own_fewest: 1 or 2. With 3 a user may see a thread that another has just begun and is about to end */
#endif
#ifndef SLEEPERS
#define SLEEPERS 0 /* users that begin later, take and free one chunk, and never call the allocator again */
#endif

/* own_thread.c: enum name_state */
#define NAME_NONE 0
#define NAME_BUSY 1
#define NAME_VALID 2

/* Of the one chunk: free and clean, in use, free and dirty, or in the hands of a purge. */
mtype = { clean, in_use, dirty, being_purged };
mtype chunk = clean;
bool is_written; /* the chunk's user has written to it, and wants to find that */

bool due;      /* hak_decay_due; how late it is does not matter here */
bool runs;     /* own->runs */
byte name;     /* own->name */
bool must_end; /* own->must_end */
byte users = USERS;

/* Known to the model only. */
byte living = USERS; /* users that have not ended, with a record or without */
bool relied;     /* a poll saw that the thread runs, and left to it what is due */
byte threads;    /* of ours, that were begun and have not ended */
byte to_join;    /* of ours, that were begun and not joined */

/* hak_decay_schedule; a time that is read as due already is left as it is */
inline schedule() {
    if
    :: due -> skip /* hak_load_seq_cst */
    :: !due -> due = true /* hak_compare_exchange_seq_cst */
    fi
}

inline join() { atomic { threads == 0 -> assert(to_join == 1); to_join-- } }

/* own_end */
inline own_end() {
    if
    :: atomic { name == NAME_VALID -> name = NAME_BUSY };
        must_end = true;
#ifdef MUTANT_END_DOES_NOT_WAIT
        atomic { to_join-- };
#else
        join();
#endif
        must_end = false;
        name = NAME_NONE;
        ended_it = true
    :: atomic { name != NAME_VALID -> ended_it = false }
    fi
}

/* A pass over the region: hak_region_purge_piece. The lock is held for each of the two steps, and not between them. */
inline pass() {
    if
    :: atomic {
        chunk == dirty ->
#ifndef MUTANT_PURGE_LEAVES_CHUNK_FREE
        chunk = being_purged
#endif
    };
        atomic { assert(chunk != in_use); is_written = false };
        atomic {
            if
            :: chunk == being_purged || chunk == dirty -> chunk = clean
            :: else
            fi
        }
    :: atomic { chunk != dirty -> skip }
    fi
}

/* purge_run: hak_decay_take, then a look at everything */
inline purge_run() {
#ifdef MUTANT_LOOK_BEFORE_TAKE
    pass();
    atomic { due = false; relied = false }
#else
    if
    :: atomic { due -> due = false; relied = false } ->
        pass();
        if
        :: chunk == dirty -> schedule() /* what was too young, or too much */
        :: else
        fi
    :: atomic { !due -> skip }
    fi
#endif
}

/* purge_thread */
proctype own_thread() {
again:
    do
    :: must_end -> break
    :: !must_end ->
        if
        :: due -> purge_run()
        :: !due -> break
        fi
    od;
#ifdef MUTANT_LEAVE_AFTER_LOOK
    if
    :: due && !must_end -> goto again
    :: else
    fi;
    runs = false;
#else
    runs = false; /* hak_own_thread_leave */
    if
    :: must_end -> skip
    :: !must_end ->
        if
        :: due -> /* hak_decay_is_due */
            if
            :: atomic { !runs -> runs = true }; goto again /* hak_own_thread_stay */
            :: atomic { runs -> relied = false } /* another is begun */
            fi
        :: !due
        fi
    fi;
#endif
    /* Where `runs` is set, another is being begun. */
    atomic { assert(must_end || !relied || !due || runs); threads-- }
}

/* own_settle, where the name is that of a thread */
inline settle() {
    name = NAME_VALID;
#ifndef MUTANT_START_DOES_NOT_LOOK
    if
    :: users < FEWEST ->
        own_end();
        purge_run() /* purge_poll_now goes on */
    :: users >= FEWEST
    fi
#endif
}

/* hak_own_thread_start and own_begin */
inline start_thread() {
    if
    :: users < FEWEST -> skip /* ESRCH */
    :: users >= FEWEST ->
        if
        :: atomic { name == NAME_BUSY -> skip } /* EBUSY */
        :: atomic { name != NAME_BUSY -> has_ended = (name == NAME_VALID); name = NAME_BUSY };
            if
            :: atomic { runs -> assert(has_ended) }; /* EBUSY: it has said that it stays */
                settle()
            :: atomic { !runs -> runs = true };
                if
#ifndef MUTANT_START_DOES_NOT_JOIN
                :: has_ended -> join()
#endif
                :: else
                fi;
                atomic { assert(to_join == 0); to_join++; threads++; run own_thread() };
                settle()
            fi
        fi
    fi
}

/* purge_poll_now */
inline poll() {
    if
    :: !due -> skip
    :: due ->
        if
        :: atomic { runs -> relied = due } /* hak_own_thread_runs */
        :: !runs ->
            if
            :: purge_run()
            :: start_thread()
            :: !hands_over -> skip /* it is too young, and too little */
            fi
        fi
    fi
}

/* `sleeps`: it begins later, and never calls the allocator again when it has polled once. */
proctype user(bool sleeps) {
    byte rounds = 0, left;
    bool has_ended, ended_it, hands_over;
    if
    :: sleeps -> atomic { users++; living++ } /* hak_own_thread_user_begun */
    :: !sleeps
    fi;
    do
    :: true ->
        atomic { chunk == clean || chunk == dirty -> chunk = in_use }; /* hak_region_span_alloc */
        is_written = true;
        assert(is_written && chunk == in_use); /* the program finds what it wrote */
#ifdef MUTANT_NOTE_BEFORE_FREE
        schedule();
#endif
        chunk = dirty; /* hak_region_span_free */
#ifndef MUTANT_NOTE_BEFORE_FREE
        schedule(); /* hak_decay_note_freed */
#endif
polls:
        poll();
        atomic { assert(living >= FEWEST || threads == 0) };
        if
        :: sleeps -> goto asleep
        :: hands_over && due && !runs -> goto polls /* none was begun: purge_to_bound */
        :: hands_over && (!due || runs) -> hands_over = false
        :: !sleeps && !hands_over -> rounds++
        fi;
        if
        :: rounds == ROUNDS ->
            /* hak_own_thread_user_ended. One round comes behind it, without a record: a destructor of the program. */
            atomic { users--; left = users };
            rounds++;
#ifndef MUTANT_LAST_DOES_NOT_LOOK
            if
            :: left < FEWEST ->
                own_end();
                atomic {
                    if
#ifdef MUTANT_LAST_OF_ALL_HANDS_NOTHING_OVER
                    :: ended_it && left == 1 -> hands_over = true
#else
                    :: ended_it && (left == 1 || users > 0) -> hands_over = true
#endif
                    :: else -> relied = relied && users > 0 /* without users nobody relies on it */
                    fi
                };
                if
                :: hands_over -> goto polls /* hak_purge_thread_was_ended */
                :: !hands_over
                fi
            :: else
            fi
#endif
        :: rounds > ROUNDS + 1 -> break
        :: rounds != ROUNDS && rounds <= ROUNDS + 1
        fi
    od;
    living--;
asleep:
    skip
}

init {
    byte i = 0;
    atomic {
        for (i : 1 .. USERS + SLEEPERS) {
            run user(i > USERS)
        }
    }
    _nr_pr == 1;
    assert(threads == 0 && (to_join == 0 || users >= FEWEST));
    assert(!relied || !due);
    assert(chunk != dirty || due)
}
