/* SPDX-License-Identifier: MIT */
/* See own_thread.h.
 *
 * Two words a kind. `name` guards the thread's name for pthread_join: whoever changes it to BUSY begins or joins, nobody else does
 * meanwhile. `runs` is 1 from before a thread is begun until it says that it leaves; who changes 0 to 1 begins it, or, in the thread
 * itself, goes on. Only who has made the name busy changes it to begin one. */
#include "hakmem/process/own_thread.h"

#include <errno.h>

#include "hakmem/base/assert.h"
#include "hakmem/base/atomic.h"
#include "hakmem/base/lock.h"
#include "hakmem/base/options.h"
#include "hakmem/magazine/thread.h"
#include "hakmem/os/os.h"

enum name_state { NAME_NONE, NAME_BUSY, NAME_VALID };

/* Bits of `asked`. */
#define ASKED_TO_END 1u
#define ASKED_TO_LOOK 2u

struct own_thread {
    uint32_t runs;      /* atomic */
    uint32_t name;      /* atomic: enum name_state */
    uint32_t asked;     /* atomic; the thread sleeps on it while it is 0 */
    uintptr_t thread;   /* who has made `name` busy */
    uintptr_t owner;    /* atomic: lock_self() in the thread */
    uint64_t from_ms;   /* atomic; see hak_own_thread_from_ms */
    void (*main)(void); /* who has set `runs` */
};

struct own_page {
    uint32_t is_here; /* atomic; 0: this process is a child that no handler saw */
    struct own_thread threads[OWN_THREAD_KINDS];
};

static struct own_page *own_page; /* atomic; NULL: there was never more than one thread */
static uint32_t own_users;        /* atomic */
static uint32_t own_unseen;       /* atomic; see hak_own_thread_unseen_children */

/* Atomic: as `owner` of the page, where the kernel does not clear it. A thread writes it after the page, so that nothing is taken for
 * a thread of the parent's that is this process's own. 0 when it has ended, since another thread may then get its storage, and be the
 * same owner: in the parent, and in a child too. */
static uintptr_t own_owner[OWN_THREAD_KINDS];

static HAK_THREAD_LOCAL bool own_is_current;

/* See hak_own_thread_from_ms. A begin and an end cost as much as a thread of the program's does. Without a rest, a program that begins
 * and joins one thread after the other would pay for both each time. */
#define OWN_REST_MS 100

bool hak_own_thread_is_current(void) { return own_is_current; }

/* The page, made where there is none. NULL: no memory */
static struct own_page *page_get(void) {
    /* Acquire: pairs with the release that publishes it; its content before that is zero. */
    struct own_page *page = hak_load_acquire(&own_page);
    if (page != NULL) {
        return page;
    }
    void *made;
    /* A kernel before 4.14 copies it: then only handlers of fork tell a child. */
    if (hak_os_map_wiped(hak_os_page_size(), &made) != 0 &&
        hak_os_map(hak_os_page_size(), hak_os_page_size(), &made) != 0) {
        return NULL;
    }
    /* Relaxed: published with the page. */
    hak_store_relaxed(&((struct own_page *)made)->is_here, 1u);
    if (hak_compare_exchange_acq_rel(&own_page, &page, (struct own_page *)made)) {
        return made;
    }
    (void)hak_os_unreserve(made, hak_os_page_size()); /* it lies where the kernel chose: no place for blocks */
    return page;
}

/* How many threads with a record there are in a child that no handler saw. It began with one thread. If that one asks, `had_record` says
 * whether it has a record. If a thread asks that was begun since, nobody can tell, and 1 is assumed: in most programs the thread that
 * begins another one allocates for it, and so has a record. */
static uint32_t page_users_of_child(bool had_record) {
    return hak_os_thread_id() != hak_os_process_id() || had_record ? 1 : 0;
}

/* NULL: no thread was ever begun. A child that no handler saw learns here that it is one. `had_record`: whether the calling thread had
 * one before the call that asks */
static struct own_page *page_look_with(bool had_record) {
    /* Acquire, as above. */
    struct own_page *page = hak_load_acquire(&own_page);
    uint32_t wiped = 0;
    /* Relaxed: 0 only where this is the first look of a child. */
    if (page != NULL && HAK_UNLIKELY(hak_load_relaxed(&page->is_here) == 0)) {
        /* Relaxed, all. Nobody counts before the exchange. Whoever counts after it may do so before this thread gets to add, and is not
         * forgotten. */
        const uint32_t parents = hak_load_relaxed(&own_users);
        if (hak_compare_exchange_acq_rel(&page->is_here, &wiped, 1u)) {
            (void)hak_fetch_add_relaxed(&own_users, page_users_of_child(had_record) - parents);
            (void)hak_fetch_add_relaxed(&own_unseen, 1u);
        }
    }
    return page;
}

static struct own_page *page_look(void) { return page_look_with(hak_self != NULL); }

/* pre: the kind has a page, since it runs */
static struct own_thread *own_get(enum own_thread_kind kind) {
    /* Acquire, as above. */
    return &hak_load_acquire(&own_page)->threads[kind];
}

uint32_t hak_own_thread_users(void) {
    (void)page_look();
    /* Relaxed: a hint; hak_own_thread_start looks again. */
    return hak_load_relaxed(&own_users);
}

uint32_t hak_own_thread_unseen_children(void) {
    (void)page_look();
    /* Relaxed: a hint. */
    return hak_load_relaxed(&own_unseen);
}

bool hak_own_thread_runs(enum own_thread_kind kind) {
    struct own_page *page = page_look();
    /* Sequentially consistent: pairs with hak_own_thread_leave. Who schedules a look and sees that the thread runs is sure that
     * it sees the look. */
    return page != NULL && hak_load_seq_cst(&page->threads[kind].runs) != 0;
}

uintptr_t hak_own_thread_gone(enum own_thread_kind kind) {
    /* Acquire: pairs with the release in own_main, so that who reads what it wrote reads its page too. */
    const uintptr_t owner = hak_load_acquire(&own_owner[kind]);
    /* Relaxed: ordered by the former. */
    return owner != 0 && hak_load_relaxed(&own_get(kind)->owner) == 0 ? owner : 0;
}

uint64_t hak_own_thread_from_ms(enum own_thread_kind kind) {
    struct own_page *page = page_look();
    /* Relaxed: a hint. */
    return page != NULL ? hak_load_relaxed(&page->threads[kind].from_ms) : 0;
}

/* pre: the caller has made `name` busy */
static void own_join(const struct own_thread *own) {
    /* Relaxed: read once. 0 where a signal handler interrupted the caller and forked, and this is the child: it has no such thread. */
    const uintptr_t thread = hak_load_relaxed(&own->thread);
    if (thread != 0) {
        hak_os_join_thread(thread);
    }
}

/* Makes the thread end, if there is one, and waits for it. false: there is none, or somebody else begins or joins it */
static bool own_end(struct own_thread *own) {
    uint32_t valid = NAME_VALID;
    /* Sequentially consistent: pairs with own_settle, if one of the program's threads has counted itself out before. Where it is busy,
     * who made it so begins or joins the thread; it looks for users itself when it has begun one. */
    if (!hak_compare_exchange_seq_cst(&own->name, &valid, (uint32_t)NAME_BUSY)) {
        return false;
    }
    DISTURB();
    /* Release: nothing hangs on it but the end. */
    hak_fetch_or_release(&own->asked, ASKED_TO_END);
    hak_os_wake(&own->asked);
    own_join(own);
    hak_store_relaxed(&own->asked, 0u);
    hak_store_relaxed(&own->from_ms, hak_os_clock_ms() + OWN_REST_MS);
    /* Sequentially consistent: pairs with hak_own_thread_start. A poll schedules a look and then is refused, since the name is busy; this
     * side frees the name, and the caller then looks whether anything is due. One of them sees. */
    (void)hak_exchange_seq_cst(&own->name, (uint32_t)NAME_NONE);
    return true;
}

/* What the parent's threads of ours leave whole in a child that no handler of fork saw. The one that publishes only reads what the locks of
 * huge blocks, of regions and of blocks of size 0 guard; when it copies the process (hak_fork_copy) it holds every lock, each of them as a
 * fork does. Of the one that purges it is the purge lock. */
static bool own_has_left(const struct hak_lock *lock, uintptr_t word) {
    const uintptr_t owner = word & ~LOCK_FLAGS;
    if (owner == 0 || owner == lock_self()) {
        return false;
    }
    if (owner == hak_own_thread_gone(OWN_THREAD_PUBLISH)) {
        return (word & LOCK_FORK) != 0 || lock->rank >= HAK_RANK_HUGE;
    }
    return lock->rank == HAK_RANK_PURGE && owner == hak_own_thread_gone(OWN_THREAD_PURGE);
}

/* How many of the program's threads there have to be, or else none of that kind runs. */
static uint32_t own_fewest(enum own_thread_kind kind) {
    return kind == OWN_THREAD_PURGE && hak_options.purge_thread == HAK_PURGE_THREAD_AUTO ? 2 : 1;
}

/* Ends those that may not run beside so few threads of the program. Result: whether there was any */
static bool own_end_beside(uint32_t users) {
    struct own_page *page = page_look();
    bool has_ended = false;
    for (unsigned kind = 0; page != NULL && kind < OWN_THREAD_KINDS; kind++) {
        if (users < own_fewest((enum own_thread_kind)kind)) {
            has_ended |= own_end(&page->threads[kind]);
        }
    }
    return has_ended;
}

/* At exit a thread of ours is left alone, so that the end takes no longer; ThreadSanitizer wants every thread joined. */
__attribute__((destructor(101))) static void own_end_at_exit(void) {
    if (HAK_THREAD_SANITIZER) {
        (void)own_end_beside(0);
    }
}

static void *own_main(void *argument) {
    struct own_thread *own = argument;
    uintptr_t *const owner = &own_owner[own - hak_load_relaxed(&own_page)->threads], self = lock_self();
    own_is_current = true;
    /* Relaxed, then release: pairs with hak_own_thread_gone. */
    hak_store_relaxed(&own->owner, self);
    hak_store_release(owner, self);
    own->main();
    /* Unless the next one has begun. Acquire-release, which nothing needs. */
    (void)hak_compare_exchange_acq_rel(owner, &self, (uintptr_t)0);
    return NULL;
}

/* The name is no longer busy; a thread that may not run is ended. Result: `error`, or EBUSY where it was ended. pre: the caller has made
 * `name` busy */
static int own_settle(struct own_thread *own, enum name_state name, uint32_t fewest, int error) {
    DISTURB();
    /* Sequentially consistent: pairs with a user's end. This side notes the thread and looks whether users enough are left,
     * that side counts itself out and looks for a thread. One of them sees. */
    (void)hak_exchange_seq_cst(&own->name, (uint32_t)name);
    DISTURB();
    if (name == NAME_VALID && hak_load_seq_cst(&own_users) < fewest) {
        (void)own_end(own);
        return EBUSY;
    }
    return error;
}

/* pre: the caller has made `name` busy, and then set `runs` */
static int own_begin(struct own_thread *own, uint32_t fewest, bool has_ended, void (*main)(void)) {
    if (has_ended) {
        own_join(own); /* it has said that it leaves */
    }
    own->main = main;
    const int error = hak_os_start_thread(own_main, own, &own->thread);
    if (error != 0) {
        hak_store_relaxed(&own->runs, 0u);
    }
    return own_settle(own, error == 0 ? NAME_VALID : NAME_NONE, fewest, error);
}

int hak_own_thread_start(enum own_thread_kind kind, void (*main)(void)) {
    const uint32_t fewest = own_fewest(kind);
    if (hak_own_thread_users() < fewest) {
        return ESRCH;
    }
    struct own_page *page = page_get();
    if (page == NULL) {
        return ENOMEM;
    }
    /* Release: pairs with the acquire of whoever waits for a lock. */
    hak_store_release(&hak_lock_was_left, own_has_left);
    struct own_thread *own = &page->threads[kind];
    uint32_t name = NAME_NONE, stopped = 0;
    /* Sequentially consistent, both: pair with own_end. The name first: who finds that `runs` is set relies on it, so nobody sets that
     * who may have to give up since another has the name. */
    if (!hak_compare_exchange_seq_cst(&own->name, &name, (uint32_t)NAME_BUSY) &&
        (name != NAME_VALID || !hak_compare_exchange_seq_cst(&own->name, &name, (uint32_t)NAME_BUSY))) {
        return EBUSY;
    }
    DISTURB();
    /* Acquire-release: one thread begins it; pairs with hak_own_thread_leave. */
    if (!hak_compare_exchange_acq_rel(&own->runs, &stopped, 1u)) {
        return own_settle(own, (enum name_state)name, fewest, EBUSY);
    }
    return own_begin(own, fewest, name == NAME_VALID, main);
}

bool hak_own_thread_must_end(enum own_thread_kind kind) {
    /* Acquire: pairs with the release in own_end. */
    return (hak_load_acquire(&own_get(kind)->asked) & ASKED_TO_END) != 0;
}

bool hak_own_thread_sleep(enum own_thread_kind kind, uint64_t duration_ms) {
    uint32_t *asked = &own_get(kind)->asked, look = ASKED_TO_LOOK;
    hak_os_wait(asked, 0, (int64_t)duration_ms);
    /* Acquire: pairs with the release of a nudge, which is answered now. It stays where the thread has to end. */
    (void)hak_compare_exchange_acq_rel(asked, &look, 0u);
    return !hak_own_thread_must_end(kind);
}

void hak_own_thread_nudge(enum own_thread_kind kind) {
    uint32_t *asked = &own_get(kind)->asked;
    /* Release: the thread sees why. The word is changed before the call, so that no sleep begins in between. */
    hak_fetch_or_release(asked, ASKED_TO_LOOK);
    hak_os_wake(asked);
}

void hak_own_thread_leave(enum own_thread_kind kind) {
    DISTURB();
    /* Sequentially consistent: pairs with hak_own_thread_runs. This side says that it leaves and then looks whether anything is
     * to be done, the other leaves something to be done and then looks whether this one runs. One of them sees. */
    (void)hak_exchange_seq_cst(&own_get(kind)->runs, 0u);
    DISTURB();
}

bool hak_own_thread_stay(enum own_thread_kind kind) {
    uint32_t stopped = 0;
    /* Acquire-release: it or a new thread runs, not both. */
    return hak_compare_exchange_acq_rel(&own_get(kind)->runs, &stopped, 1u);
}

void hak_own_thread_user_begun(void) {
    if (own_is_current) {
        return;
    }
    (void)page_look_with(false);
    /* Sequentially consistent: pairs with hak_own_thread_user_ended. This side counts itself in, and later leaves to our thread what is due,
     * since that still runs; the other has ended our thread and then counts. See own_settle for who has to know that no user is left. */
    if (hak_fetch_add_seq_cst(&own_users, 1u) == 1) {
        (void)page_get(); /* before a fork, which is to wipe it; without, hak_own_thread_start tries again */
    }
}

bool hak_own_thread_user_ended(void) {
    if (own_is_current) {
        return false;
    }
    (void)page_look_with(true);
    /* Sequentially consistent: pairs with own_settle, as the exchange in own_end that follows. */
    const uint32_t left = hak_fetch_add_seq_cst(&own_users, (uint32_t)-1) - 1;
    if (left > 1) {
        return false;
    }
    DISTURB();
    /* Sequentially consistent: pairs with hak_own_thread_user_begun. */
    return own_end_beside(left) && (left == 1 || hak_load_seq_cst(&own_users) > 0);
}

void hak_own_thread_fork_child(bool has_record) {
    /* Relaxed, all: the child has one thread. The kernel has wiped the page; one before 4.14 has not. */
    struct own_page *page = hak_load_relaxed(&own_page);
    if (page != NULL) {
        *page = (struct own_page){.is_here = 1};
    }
    for (unsigned kind = 0; kind < OWN_THREAD_KINDS; kind++) {
        hak_store_relaxed(&own_owner[kind], (uintptr_t)0);
    }
    hak_store_relaxed(&own_users, has_record ? 1u : 0u);
}
