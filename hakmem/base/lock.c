/* SPDX-License-Identifier: MIT */
/* Ranked locks: the slow paths, for a lock that is not free, and the order check of debug builds; see lock.h.
 *
 * Each thread records the locks that it holds on a thread-local stack, so the check needs no lock. Release builds
 * contain the check and never call it; their stack has one entry, because every thread pays for thread-local bytes.
 *
 * The futex is called here and not through os/, because os/ includes this layer. */
#include "hakmem/base/lock.h"

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "hakmem/base/c_library.h"

/* Looks at a taken lock before the thread sleeps: most are held for less than a sleep costs. glibc's adaptive mutex
 * looks as often. */
#define LOCK_SPINS 100

/* How often a fork that may wait for nobody for good looks whether it still may. */
#define LOCK_LOOK_NS 1000000

/* Around fork one thread holds every lock: two a class, with guard full one a lane of its quarantine, and those of the
 * other ranks. */
#define HELD_MAX (HAK_DEBUG ? 512 : 1)

HAK_THREAD_LOCAL struct hak_lock *hak_lock_depended_on __attribute__((aligned(8)));

static HAK_THREAD_LOCAL const struct hak_lock *held[HELD_MAX]; /* owner only, ranks never descend */
static HAK_THREAD_LOCAL unsigned held_count;                   /* owner only */

/* A futex is half of the word: the half that holds the flags. The other one tells owners apart only. */
HAK_STATIC_ASSERT(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the flags lie in the word's first four bytes");
HAK_STATIC_ASSERT(__alignof__(hak_lock_depended_on) > LOCK_FLAGS, "an owner's address leaves room for the flags");

/* Tells the processor that this is a loop that waits. */
#ifdef __x86_64__
#define LOCK_PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define LOCK_PAUSE() __asm__ volatile("yield")
#elif defined(__riscv)
/* `pause`, by its bytes: assemblers know it from the extension Zihintpause on, and all processors take it for a fence. */
#define LOCK_PAUSE() __asm__ volatile(".4byte 0x0100000f")
#else
#define LOCK_PAUSE() __asm__ volatile("")
#endif

void hak_lock_init(struct hak_lock *lock, enum hak_lock_rank rank) {
    *lock = (struct hak_lock)HAK_LOCK_INITIALIZER(rank);
}

/* ---- The word ---- */

static uintptr_t lock_owner(uintptr_t word) { return word & ~LOCK_FLAGS; }

/* Relaxed, here and in its callers: a thread finds its own address only where it stored that itself; for whatever else
 * is read the exchange that takes the lock orders. */
static uintptr_t lock_look(const struct hak_lock *lock) { return hak_load_relaxed(&lock->word); }

static bool lock_is_mine(const struct hak_lock *lock) { return lock_owner(lock_look(lock)) == lock_self(); }

static bool lock_is_passed(const struct hak_lock *lock) {
    return lock_is_mine(lock) && (lock_look(lock) & LOCK_FORK) != 0;
}

bool hak_lock_is_free(const struct hak_lock *lock) { return lock_look(lock) == 0; }

/* Sleeps while the word is `word`, and not longer than `timeout` where there is one. */
static void lock_sleep(struct hak_lock *lock, uintptr_t word, const struct timespec *timeout) {
    const int saved_errno = errno;
    (void)syscall(SYS_futex, &lock->word, C_LIBRARY_FUTEX_WAIT, (uint32_t)word, timeout, NULL, 0);
    errno = saved_errno;
}

static void lock_wake(struct hak_lock *lock) {
    const int saved_errno = errno;
    (void)syscall(SYS_futex, &lock->word, C_LIBRARY_FUTEX_WAKE, 1, NULL, NULL, 0);
    errno = saved_errno;
}

static bool lock_try(struct hak_lock *lock, uintptr_t flags) {
    uintptr_t free_word = 0;
    /* Acquire-release: pairs with the releases. */
    return lock_look(lock) == 0 && hak_compare_exchange_acq_rel(&lock->word, &free_word, lock_self() | flags);
}

static bool lock_spin(struct hak_lock *lock, uintptr_t flags) {
    for (unsigned i = 0; i < LOCK_SPINS; i++) {
        if (lock_try(lock, flags)) {
            return true;
        }
        LOCK_PAUSE();
    }
    return false;
}

bool (*hak_lock_was_left)(const struct hak_lock *lock, uintptr_t word);

static bool lock_release_left(struct hak_lock *lock, uintptr_t word) {
    /* Acquire: pairs with the release that sets it. */
    bool (*const was_left)(const struct hak_lock *, uintptr_t) = hak_load_acquire(&hak_lock_was_left);
    if (was_left == NULL || !was_left(lock, word)) {
        return false;
    }
    hak_lock_release_of(lock, lock_owner(word));
    return true;
}

/* Says that there are waiters, and sleeps until the lock may be free. */
static void lock_wait(struct hak_lock *lock, const struct timespec *timeout) {
    uintptr_t word = lock_look(lock);
    /* Acquire-release, as everything that changes the word. */
    if (word != 0 && !lock_release_left(lock, word) &&
        ((word & LOCK_WAITERS) != 0 || hak_compare_exchange_acq_rel(&lock->word, &word, word | LOCK_WAITERS))) {
        lock_sleep(lock, word | LOCK_WAITERS, timeout);
    }
}

/* A signal handler may come while a lock is free, others sleep, and it is this thread's to take it or to wake them; a
 * fork in the handler may wait for just those. It wakes them by what is noted here. Result: what was noted before, to note again: what
 * the handler interrupted goes on after it, and another handler may come. */
static struct hak_lock *lock_note_dependence(struct hak_lock *lock) {
    struct hak_lock *const before = hak_load_relaxed(&hak_lock_depended_on);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    hak_store_relaxed(&hak_lock_depended_on, lock);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    return before;
}

void hak_lock_acquire_slow(struct hak_lock *lock) {
    if (lock_is_passed(lock)) {
        return;
    }
    contention_waited(lock, lock->rank);
    if (lock_spin(lock, 0)) {
        return;
    }
    struct hak_lock *const before = lock_note_dependence(lock);
    /* With the flag from here on: others may have slept beside this thread. */
    while (!lock_try(lock, LOCK_WAITERS)) {
        lock_wait(lock, NULL);
    }
    (void)lock_note_dependence(before);
}

static void lock_leave(struct hak_lock *lock) {
    struct hak_lock *const before = lock_note_dependence(lock);
    /* Acquire-release: as lock_release. */
    if ((hak_exchange_acq_rel(&lock->word, (uintptr_t)0) & LOCK_WAITERS) != 0) {
        lock_wake(lock);
    }
    (void)lock_note_dependence(before);
}

void hak_lock_release_slow(struct hak_lock *lock) {
    if (!lock_is_passed(lock)) {
        lock_leave(lock);
    }
}

void hak_lock_release_of(struct hak_lock *lock, uintptr_t owner) {
    uintptr_t word = lock_look(lock);
    while (owner != 0 && lock_owner(word) == owner) {
        /* Acquire-release: as everything that changes the word. Threads of this process may wait already. */
        if (hak_compare_exchange_acq_rel(&lock->word, &word, (uintptr_t)0)) {
            lock_wake(lock);
            return;
        }
    }
}

void hak_lock_release_left(struct hak_lock *lock, struct lock_fork *fork) {
    (void)fork;
    (void)lock_release_left(lock, lock_look(lock));
}

/* ---- Around fork ---- */

void hak_lock_fork_begin(struct lock_fork *fork) {
    /* What was about to be taken, or has just been released, is still in the stack of debug builds. */
    *fork = (struct lock_fork){.is_half = HAK_DEBUG && held_count > 0};
    struct hak_lock *const lock = hak_load_relaxed(&hak_lock_depended_on);
    if (lock != NULL) {
        lock_wake(lock);
    }
}

void hak_lock_fork_note(struct hak_lock *lock, struct lock_fork *fork) {
    if (lock_is_mine(lock)) {
        HAK_CHECK(fork->own_count < LOCK_FORK_OWN_MAX);
        fork->own[fork->own_count++] = lock;
    }
}

bool hak_lock_fork_would_wait(const struct lock_fork *fork) {
    for (unsigned i = 0; i < fork->own_count; i++) {
        if (!lock_is_passed(fork->own[i])) {
            return true;
        }
    }
    return HAK_DEBUG && hak_lock_debug_holds_any();
}

static bool lock_fork_is_waited_for(const struct lock_fork *fork) {
    for (unsigned i = 0; i < fork->own_count; i++) {
        if ((lock_look(fork->own[i]) & LOCK_WAITERS) != 0) {
            return true;
        }
    }
    return false;
}

/* The order of ranks keeps threads from waiting for each other; a fork that holds a lock already is outside of it.
 * Whoever holds `lock` then, and waits, does so for a lock in `own` in the end, or for another such fork: the flag of
 * waiters says so, and this fork goes on without. Where the holder is itself forking, what the lock guards is whole,
 * and it is not waited for either. */
static bool lock_fork_wait(struct hak_lock *lock, const struct lock_fork *fork) {
    const struct timespec look = {0, LOCK_LOOK_NS};
    if (fork->own_count > 0 && ((lock_look(lock) & LOCK_FORK) != 0 || lock_fork_is_waited_for(fork))) {
        return false;
    }
    lock_wait(lock, fork->own_count > 0 ? &look : NULL);
    return true;
}

static void lock_debug_insert(const struct hak_lock *lock);

void hak_lock_fork_acquire(struct hak_lock *lock, struct lock_fork *fork) {
    if (lock_is_mine(lock)) {
        return;
    }
    bool is_taken = lock_spin(lock, LOCK_FORK);
    while (!is_taken && lock_fork_wait(lock, fork)) {
        is_taken = lock_try(lock, LOCK_FORK | LOCK_WAITERS);
    }
    if (!is_taken) {
        fork->is_half = true;
        lock_wake(lock); /* this thread may have been woken in place of another */
    } else if (HAK_DEBUG) {
        lock_debug_insert(lock);
    }
}

static void lock_debug_remove(const struct hak_lock *lock);

void hak_lock_fork_release(struct hak_lock *lock, struct lock_fork *fork) {
    (void)fork;
    if (lock_is_passed(lock)) {
        if (HAK_DEBUG) lock_debug_remove(lock);
        lock_leave(lock);
    }
}

void hak_lock_fork_release_child(struct hak_lock *lock, struct lock_fork *fork) {
    const uintptr_t word = lock_look(lock);
    hak_lock_fork_release(lock, fork);
    if ((word & LOCK_FORK) != 0 && lock_owner(word) != lock_self()) {
        /* Relaxed: the child has one thread. */
        hak_store_relaxed(&lock->word, (uintptr_t)0);
    }
}

/* ---- The check of debug builds ---- */

/* Sorted by rank. */
static void lock_debug_insert(const struct hak_lock *lock) {
    HAK_CHECK(held_count < HELD_MAX);
    unsigned i = held_count;
    for (; i > 0 && held[i - 1]->rank > lock->rank; i--) held[i] = held[i - 1];
    held[i] = lock;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    held_count++;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    held[i] = lock; /* once more: a handler that came before the count may have used the place */
}

static void lock_debug_remove(const struct hak_lock *lock) {
    unsigned i = held_count - 1;
    while (held[i] != lock) i--;
    /* Those above move down: the stack stays sorted whatever the order of releases. */
    for (; i + 1 < held_count; i++) held[i] = held[i + 1];
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* for handlers, as above */
    held_count--;
}

void hak_lock_debug_push(const struct hak_lock *lock) {
    HAK_CHECK(lock->rank >= HAK_RANK_PURGE && lock->rank <= HAK_RANK_ZERO_SIZE);
    if (lock_is_passed(lock)) {
        return;
    }
    HAK_CHECK(!hak_lock_debug_is_held(lock));
    if (held_count != 0) {
        const struct hak_lock *highest = held[held_count - 1];
        const enum hak_lock_rank highest_rank_held = highest->rank;
        HAK_CHECK(lock->rank > highest_rank_held ||
                  (lock->rank == HAK_RANK_PROFILE && lock->rank == highest_rank_held && lock > highest));
    }
    lock_debug_insert(lock);
}

void hak_lock_debug_expect_held(const struct hak_lock *lock) {
    HAK_CHECK(lock_is_passed(lock) || hak_lock_debug_is_held(lock));
}

void hak_lock_debug_pop(const struct hak_lock *lock) {
    if (!lock_is_passed(lock)) {
        lock_debug_remove(lock);
    }
}

bool hak_lock_debug_is_held(const struct hak_lock *lock) {
    for (unsigned i = held_count; i != 0; i--) {
        if (held[i - 1] == lock) return true;
    }
    return false;
}

bool hak_lock_debug_holds_any(void) {
    for (unsigned i = held_count; i != 0; i--) {
        if (!lock_is_passed(held[i - 1])) return true;
    }
    return false;
}
