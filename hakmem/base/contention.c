/* SPDX-License-Identifier: MIT */
/* See contention.h. What is counted is not counted here: the atomics are the compiler's own. All are relaxed: counts
 * order nothing. */
#include "hakmem/base/contention.h"

#if HAK_CONTENTION

#define SLOTS 64

/* Lines whose last thread is known. Two lines that share an entry may count as moved too often. */
#define LINES 65536

#define SEVERAL_LINES UINTPTR_MAX

/* Of one thread in SLOTS. Atomic. */
struct slot {
    HAK_CACHE_ALIGNED struct contention_steps sites[CONTENTION_SITES_MAX];
    struct contention_holds locks[CONTENTION_LOCKS_MAX];
};

struct known_lock {
    const void *lock; /* atomic, set once */
    unsigned rank;    /* constant after `lock` */
    uint32_t last;    /* lock; number of the thread that held it last, 0: none */
};

extern const struct contention_site first_site[] __asm__("__start_contention_sites")
    __attribute__((visibility("hidden")));
extern const struct contention_site end_of_sites[] __asm__("__stop_contention_sites")
    __attribute__((visibility("hidden")));

static struct slot slots[SLOTS];
static struct known_lock locks[CONTENTION_LOCKS_MAX];  /* in the order of their first acquisition */
static uintptr_t lines_of_sites[CONTENTION_SITES_MAX]; /* atomic */
static uint32_t last_threads[LINES];                   /* atomic; number of the thread, 0: none yet */
static uint32_t threads;                               /* atomic; that have counted anything */

static HAK_THREAD_LOCAL uint32_t own_number; /* owner only; 0: none yet */

/* When this thread acquired its lock of each rank. Owner only; a thread holds at most one of a rank. */
static HAK_THREAD_LOCAL uint64_t acquired_at[16];

#define count_add(p, n) ((void)__atomic_fetch_add((p), (n), __ATOMIC_RELAXED))
#define count_look(p) __atomic_load_n((p), __ATOMIC_RELAXED)

uint64_t contention_clock(void) {
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#endif
}

static struct slot *slot_of_thread(void) {
    if (own_number == 0) {
        own_number = __atomic_add_fetch(&threads, 1, __ATOMIC_RELAXED);
    }
    return &slots[own_number % SLOTS];
}

/* The thread takes the line of `address`: whether it was another thread's. */
static bool line_take(uintptr_t address) {
    const uint64_t mixed = (uint64_t)(address / HAK_CACHE_LINE) * UINT64_C(0x9e3779b97f4a7c15);
    const uint32_t last = __atomic_exchange_n(&last_threads[mixed >> 48], own_number, __ATOMIC_RELAXED);
    return last != own_number && last != 0;
}

void hak_contention_step(const struct contention_site *site, uintptr_t address) {
    struct slot *slot = slot_of_thread();
    const size_t number = (size_t)(site - first_site);
    if (number >= CONTENTION_SITES_MAX) {
        __builtin_trap();
    }
    const uintptr_t line = address / HAK_CACHE_LINE * HAK_CACHE_LINE;
    uintptr_t only = 0;
    if (!__atomic_compare_exchange_n(&lines_of_sites[number], &only, line, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED) &&
        only != line && only != SEVERAL_LINES) {
        __atomic_store_n(&lines_of_sites[number], SEVERAL_LINES, __ATOMIC_RELAXED);
    }
    count_add(&slot->sites[number].steps, 1);
    count_add(&slot->sites[number].moved, line_take(address));
}

/* The index of the lock. */
static size_t lock_find(const void *lock, unsigned rank) {
    for (size_t i = 0; i < CONTENTION_LOCKS_MAX; i++) {
        const void *found = count_look(&locks[i].lock);
        if (found == NULL &&
            __atomic_compare_exchange_n(&locks[i].lock, &found, lock, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
            __atomic_store_n(&locks[i].rank, rank, __ATOMIC_RELAXED);
            return i;
        }
        if (found == lock) {
            return i;
        }
    }
    __builtin_trap();
}

void hak_contention_acquired(const void *lock, unsigned rank) {
    const size_t number = lock_find(lock, rank);
    struct contention_holds *holds = &slot_of_thread()->locks[number];
    count_add(&holds->acquired, 1);
    count_add(&holds->moved, locks[number].last != own_number && locks[number].last != 0);
    locks[number].last = own_number;
    acquired_at[rank] = contention_clock();
}

void hak_contention_waited(const void *lock, unsigned rank) {
    count_add(&slot_of_thread()->locks[lock_find(lock, rank)].waited, 1);
}

void hak_contention_released(const void *lock, unsigned rank) {
    const uint64_t now = contention_clock();
    count_add(&slot_of_thread()->locks[lock_find(lock, rank)].held, now - acquired_at[rank]);
}

bool hak_contention_site(unsigned number, struct contention_site *site, uintptr_t *line,
                         struct contention_steps *steps) {
    if (number >= (size_t)(end_of_sites - first_site)) {
        return false;
    }
    *site = first_site[number];
    *line = count_look(&lines_of_sites[number]);
    *line = *line == SEVERAL_LINES ? 0 : *line;
    *steps = (struct contention_steps){0};
    for (size_t i = 0; i < SLOTS; i++) {
        steps->steps += count_look(&slots[i].sites[number].steps);
        steps->moved += count_look(&slots[i].sites[number].moved);
    }
    return true;
}

bool hak_contention_lock(unsigned number, unsigned *rank, struct contention_holds *holds) {
    if (number >= CONTENTION_LOCKS_MAX || count_look(&locks[number].lock) == NULL) {
        return false;
    }
    *rank = count_look(&locks[number].rank);
    *holds = (struct contention_holds){0};
    for (size_t i = 0; i < SLOTS; i++) {
        const struct contention_holds *of_slot = &slots[i].locks[number];
        holds->acquired += count_look(&of_slot->acquired);
        holds->waited += count_look(&of_slot->waited);
        holds->moved += count_look(&of_slot->moved);
        holds->held += count_look(&of_slot->held);
    }
    return true;
}

#endif
