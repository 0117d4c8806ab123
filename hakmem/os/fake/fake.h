/* SPDX-License-Identifier: MIT */
/* Makes the system fail on demand, for tests of what happens then.
 *
 * Depending on //hakmem/os:fake is all it takes: the linker wraps every primitive of os.h that can fail, and a
 * wrapper either passes the call on or returns ENOMEM with nothing done. Calls are counted process-wide, by
 * atomics, so any thread may be the one that fails; the plan is meant to be set while no other thread calls. */
#ifndef HAKMEM_OS_FAKE_FAKE_H
#define HAKMEM_OS_FAKE_FAKE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum os_fake_kind {
    OS_FAKE_MAP = 1 << 0,
    OS_FAKE_RESERVE = 1 << 1,
    OS_FAKE_MAKE_WRITABLE = 1 << 2,
    OS_FAKE_UNMAP = 1 << 3,
    OS_FAKE_PURGE = 1 << 4,
    OS_FAKE_REMAP = 1 << 5,
    OS_FAKE_START_THREAD = 1 << 6,
    OS_FAKE_NO_HUGE_PAGES = 1 << 7,
    OS_FAKE_HUGE_PAGES = 1 << 8,
    OS_FAKE_MAKE_INACCESSIBLE = 1 << 9,
    OS_FAKE_RANDOM = 1 << 10,
    OS_FAKE_RESIDENT = 1 << 11,
    OS_FAKE_MAP_LEFT = 1 << 12,
    OS_FAKE_MAP_WIPED = 1 << 13,
    OS_FAKE_RESERVE_ALIGNED = 1 << 14,
    OS_FAKE_COMMIT = 1 << 15,
    OS_FAKE_MAP_AT = 1 << 16,
    OS_FAKE_MAP_FIRST = 1 << 17,
    OS_FAKE_ALL = (1 << 18) - 1,
};

/* The n-th call from now fails, once; 0 takes such a plan back. */
void os_fake_fail_at(uint64_t n);

/* The n-th call from now and all after it fail; 0 takes such a plan back. */
void os_fake_fail_from(uint64_t n);

/* Only these kinds are counted, and so can fail; the others pass. OS_FAKE_ALL from the start. */
void os_fake_fail_only(unsigned kinds_mask);

/* The next call of that kind calls `function` first, once and with whatever locks the allocator holds there: for what other
 * threads may do meanwhile. */
void os_fake_within(enum os_fake_kind kind, void (*function)(void));

/* Calls of the kinds that count, failed ones included, since the start or the last reset: a test that loops
 * n over 1 .. os_fake_calls() of a run without failures has made every call of that run fail. */
uint64_t os_fake_calls(void);

/* No plan, no calls, all kinds, nothing within. */
void os_fake_reset(void);

#ifdef __cplusplus
}
#endif

#endif
