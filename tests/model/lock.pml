/* The word of a lock, base/lock.c, and fork in a signal handler that interrupts a thread anywhere in it.
 *
 * Threads take two locks in the order of their ranks, or the second alone. A handler interrupts one of them at any step, and forks: it
 * notes what its thread holds, takes the rest, and lets it go again. While it runs, what it interrupted makes no step; a thread that
 * sleeps is woken for it. One step is one operation on the word, or one call of the futex, which compares and sleeps at once.
 *
 * What must hold, and where it is asserted:
 *     one thread holds a lock; a handler leaves what its thread holds       got, let
 *     a fork that interrupted nobody holds every lock                       handler
 *     nobody waits for ever                                                 spin's check of end states
 *
 * Each MUTANT_... makes one plausible mistake, which the search must find by the harm that it does. */

#ifndef THREADS
#define THREADS 2
#endif
#ifndef HANDLERS
#define HANDLERS 1 /* that interrupt the first thread, one after the other */
#endif

#ifndef FIRST_TAKES_BOTH
#define FIRST_TAKES_BOTH 0 /* the second thread takes both locks, the third the second lock alone */
#endif

#define LOCKS 2
#define NOBODY 0 /* threads count from 1 */
#define NO_LOCK 2

typedef lock_word {
    byte owner;
    bool waiters; /* LOCK_WAITERS */
    bool fork;    /* LOCK_FORK */

    byte holder; /* known to the model only */
};
lock_word words[LOCKS];

byte sleeps[THREADS + 1];      /* of each thread: on which lock; NO_LOCK: it runs */
byte depended[THREADS + 1];    /* hak_lock_depended_on */
bool in_handler[THREADS + 1];

#define IS_FREE(l) (words[l].owner == NOBODY)

inline got(l) { assert(words[l].holder == NOBODY); words[l].holder = me }
inline let(l) { assert(words[l].holder == me); words[l].holder = NOBODY }

/* One of those that sleep there, any. */
inline wake(l) {
    if
    :: atomic { sleeps[1] == l -> sleeps[1] = NO_LOCK }
    :: atomic { sleeps[2] == l -> sleeps[2] = NO_LOCK }
#if THREADS == 3
    :: atomic { sleeps[3] == l -> sleeps[3] = NO_LOCK }
#endif
    :: else
    fi
}

/* lock_wait; `may_end`: with a time after which it ends. */
inline wait(l, may_end) {
    atomic {
        seen = words[l].owner; /* and the compare-exchange, which fails where another was faster */
        seen_fork = words[l].fork;
        words[l].waiters = words[l].waiters || seen != NOBODY
    };
    if
    :: seen == NOBODY
    :: else ->
        atomic {
#ifdef MUTANT_SLEEP_WITHOUT_COMPARE
            sleeps[me] = l
#else
            if
            :: words[l].owner == seen && words[l].waiters && words[l].fork == seen_fork -> sleeps[me] = l
            :: else
            fi
#endif
        };
        if
        :: sleeps[me] == NO_LOCK
        :: atomic { may_end && sleeps[me] != NO_LOCK -> sleeps[me] = NO_LOCK }
        fi
    fi;
    atomic { seen = 0; seen_fork = false }
}

inline try(l, with_waiters, with_fork) {
    atomic {
        is_taken = IS_FREE(l);
        if
        :: is_taken -> words[l].owner = me; words[l].waiters = with_waiters; words[l].fork = with_fork; got(l)
        :: else
        fi
    }
}

/* lock_acquire and hak_lock_acquire_slow */
inline acquire(l) {
    atomic {
        try(l, false, false);
        if
        :: is_taken
        :: else -> depended[me] = l
        fi
    };
    if
    :: is_taken
    :: else ->
        do
        ::
#ifdef MUTANT_TRY_WITHOUT_FLAG
            try(l, false, false);
#else
            try(l, true, false);
#endif
            if
            :: is_taken -> break
            :: else -> wait(l, false)
            fi
        od;
        depended[me] = NO_LOCK
    fi;
    is_taken = false
}

/* lock_leave */
inline leave(l) {
    atomic { before = depended[me]; depended[me] = l };
    atomic {
        let(l);
        had_waiters = words[l].waiters;
        words[l].owner = NOBODY; words[l].waiters = false; words[l].fork = false /* hak_exchange_acq_rel */
    };
    if
    :: had_waiters -> wake(l)
    :: else
    fi;
    atomic { had_waiters = false; depended[me] = before; before = NO_LOCK }
}

/* lock_release and hak_lock_release_slow */
inline release(l) {
    atomic {
        if
#ifdef MUTANT_RELEASE_BY_STORE
        :: true ->
#else
        :: !words[l].waiters ->
#endif
            let(l);
            words[l].owner = NOBODY; words[l].waiters = false; is_taken = true
        :: else
        fi
    };
    if
    :: is_taken
    :: else -> leave(l)
    fi;
    is_taken = false
}

proctype thread(byte me; bool takes_both) provided (!in_handler[me]) {
    byte seen, l = 0;
    bool seen_fork, is_taken, had_waiters;
    byte before = NO_LOCK;
    if
    :: takes_both -> acquire(l)
    :: else
    fi;
    l = 1;
    acquire(l);
    do
    :: release(l);
        if
        :: l == 1 && takes_both -> l = 0
        :: else -> break
        fi
    od
}

#define WAITED_FOR(l) (own[l] && words[l].waiters)

/* hak_lock_fork_acquire, of lock l */
inline fork_acquire() {
    if
    :: own[l]
    :: else ->
        try(l, false, true);
        do
        :: is_taken -> break
        :: !is_taken ->
#ifdef MUTANT_FORK_WAITS_FOR_GOOD
            wait(l, false);
#else
            if
            :: own_any && (words[l].fork || WAITED_FOR(0) || WAITED_FOR(1)) -> break
            :: else -> wait(l, own_any)
            fi;
#endif
            try(l, true, true)
        od;
        if
        :: !is_taken ->
            is_half = true;
            wake(l)
        :: else
        fi;
        is_taken = false
    fi
}

/* Interrupts the thread once, at any time, and forks. */
proctype handler(byte me) {
    byte seen, l = 0;
    bool seen_fork, is_taken, had_waiters, own[LOCKS], own_any, is_half;
    byte interrupted, before = NO_LOCK;
    atomic {
        !in_handler[me] ->
        in_handler[me] = true;
        sleeps[me] = NO_LOCK; /* the futex ends by the signal */
        interrupted = depended[me];
        own[0] = (words[0].owner == me);
        own[1] = (words[1].owner == me);
        own_any = own[0] || own[1]
    };
#ifndef MUTANT_FORK_LEAVES_DEPENDENTS
    if
    :: interrupted != NO_LOCK -> wake(interrupted) /* hak_lock_fork_begin */
    :: else
    fi;
#endif
    do
    :: l < LOCKS -> fork_acquire(); l++
    :: else -> break
    od;
    /* Here the process is copied. */
    assert(own_any || (!is_half && words[0].holder == me && words[1].holder == me));
    atomic { l = 0 };
    do
    :: l < LOCKS ->
        if
        :: words[l].owner == me && words[l].fork -> leave(l)
        :: else
        fi;
        l++
    :: else -> break
    od;
    in_handler[me] = false
}

init {
    byte i = 0;
    atomic {
        for (i : 1 .. THREADS) {
            sleeps[i] = NO_LOCK;
            depended[i] = NO_LOCK;
            run thread(i, i == 2 || (i == 1 && FIRST_TAKES_BOTH))
        }
        i = 0;
        do
        :: i < HANDLERS -> run handler(1); i++
        :: else -> break
        od
    }
}
