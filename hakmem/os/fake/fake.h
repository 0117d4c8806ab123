/* SPDX-License-Identifier: MIT */
/* Fault injection: makes primitives of os.h fail on demand, so that tests reach the error paths.
 *
 * A test only has to depend on //hakmem/os:fake. The linker wraps every primitive that can fail, and a wrapper either
 * passes the call on or returns ENOMEM without doing anything. Atomic counters count the calls of the whole process, so
 * the call of any thread may fail; a test sets the plan while no other thread calls. */
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
    OS_FAKE_RESERVE_FIRST = 1 << 17,
    OS_FAKE_POPULATE = 1 << 18,
    OS_FAKE_ALL = (1 << 19) - 1,
};

/* Makes only the n-th call from now fail; 0 cancels that. */
void os_fake_fail_at(uint64_t n);

/* Makes the n-th call from now and all later ones fail; 0 cancels that. */
void os_fake_fail_from(uint64_t n);

/* Restricts counting, and thus failing, to calls of these kinds. Initially OS_FAKE_ALL. */
void os_fake_fail_only(unsigned kinds_mask);

/* Has the next call of that kind first call `function`, once and under the locks that the allocator holds there. It
 * stands for what another thread may do at that moment. */
void os_fake_within(enum os_fake_kind kind, void (*function)(void));

/* Says that the machine has `count` NUMA nodes, and that the calling thread runs on node `node` of them, which is 0 at first. With a
 * count of 0 the machine is what it is. */
void os_fake_nodes(unsigned count);
void os_fake_run_on(unsigned node);

/* How often the allocator asked for the number of nodes, and for that of a thread. */
uint64_t os_fake_node_calls(void);

/* Calls of the counted kinds, including failed ones, since the start or the last reset. A test that runs once without
 * failures and then loops n over 1 .. os_fake_calls() makes every call of that run fail. */
uint64_t os_fake_calls(void);

/* A test that defines it has addresses of so many bits in its process, from the start on. It cannot be a plan of a function:
 * tables are made before main. */
extern const unsigned os_fake_address_bits;

/* Cancels all plans, resets the count to 0, and counts all kinds again. */
void os_fake_reset(void);

#ifdef __cplusplus
}
#endif

#endif
