/* Locks with ranks: initialisation, and the check of debug builds.
 *
 * Each thread keeps the locks that it holds in a stack of its own, so the check needs no lock. Release builds
 * have the code and never call it; their stack has one entry, since thread-local bytes cost every thread. */
#include "hakmem/base/lock.h"

/* Around fork one thread holds every lock: one a class, with guard full one a lane of its quarantine, and those of the other
 * ranks. */
#define HELD_MAX (HAK_DEBUG ? 512 : 1)

static HAK_THREAD_LOCAL const struct hak_lock *held[HELD_MAX]; /* owner only, ranks never descend */
static HAK_THREAD_LOCAL unsigned held_count;                   /* owner only */

void lock_init(struct hak_lock *lock, enum hak_lock_rank rank) {
    pthread_mutexattr_t attributes;
    int error = pthread_mutexattr_init(&attributes);
    HAK_CHECK(error == 0);
    error = pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
    HAK_CHECK(error == 0);
    error = pthread_mutex_init(&lock->mutex, &attributes);
    HAK_CHECK(error == 0);
    pthread_mutexattr_destroy(&attributes);
    lock->rank = rank;
}

void lock_debug_push(const struct hak_lock *lock, bool same_rank_allowed) {
    HAK_CHECK(lock->rank >= HAK_RANK_PURGE && lock->rank <= HAK_RANK_REGION);
    HAK_CHECK(!lock_debug_is_held(lock));
    if (held_count != 0) {
        enum hak_lock_rank highest_rank_held = held[held_count - 1]->rank;
        HAK_CHECK(lock->rank > highest_rank_held || (same_rank_allowed && lock->rank == highest_rank_held));
    }
    HAK_CHECK(held_count < HELD_MAX);
    held[held_count++] = lock;
}

void lock_debug_pop(const struct hak_lock *lock) {
    HAK_CHECK(lock_debug_is_held(lock));
    unsigned i = held_count - 1;
    while (held[i] != lock) i--;
    /* Those above move down: the stack stays sorted whatever the order of releases. */
    for (; i + 1 < held_count; i++) held[i] = held[i + 1];
    held_count--;
}

bool lock_debug_is_held(const struct hak_lock *lock) {
    for (unsigned i = held_count; i != 0; i--) {
        if (held[i - 1] == lock) return true;
    }
    return false;
}
