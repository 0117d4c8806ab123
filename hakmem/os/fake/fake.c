/* SPDX-License-Identifier: MIT */
/* The wrappers of the fake, and its plan; the contract is in fake.h.
 *
 * The linker's --wrap redirects a call of hak_os_map to __wrap_hak_os_map here, and __real_hak_os_map is the function
 * of linux/. Takes no lock, because a wrapper runs under the locks that the allocator holds. */
#include "hakmem/os/fake/fake.h"

#include <errno.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/compiler.h"
#include "hakmem/os/os.h"

/* Numbers of calls, counted from 1; 0 is no call. All relaxed: only the plan itself passes between threads,
 * and who sets it orders that with the calls by the means of the test (before it starts threads, say). */
static uint64_t calls;                 /* atomic */
static uint64_t fail_at;               /* atomic */
static uint64_t fail_from;             /* atomic */
static unsigned counted = OS_FAKE_ALL; /* atomic: kinds */
static unsigned within_kind;           /* atomic; written before the next */
static void (*within)(void);           /* atomic; NULL: nothing */

void os_fake_fail_at(uint64_t n) { hak_store_relaxed(&fail_at, n == 0 ? 0 : hak_load_relaxed(&calls) + n); }

void os_fake_fail_from(uint64_t n) { hak_store_relaxed(&fail_from, n == 0 ? 0 : hak_load_relaxed(&calls) + n); }

void os_fake_fail_only(unsigned kinds_mask) { hak_store_relaxed(&counted, kinds_mask); }

void os_fake_within(enum os_fake_kind kind, void (*function)(void)) {
    hak_store_relaxed(&within_kind, (unsigned)kind);
    hak_store_relaxed(&within, function);
}

uint64_t os_fake_calls(void) { return hak_load_relaxed(&calls); }

void os_fake_reset(void) {
    hak_store_relaxed(&fail_at, 0);
    hak_store_relaxed(&fail_from, 0);
    hak_store_relaxed(&counted, OS_FAKE_ALL);
    hak_store_relaxed(&calls, 0);
    hak_store_relaxed(&within, NULL);
}

static unsigned nodes;      /* atomic; 0: those of the machine */
static uint64_t node_calls; /* atomic */
static HAK_THREAD_LOCAL unsigned node;

unsigned __real_hak_os_node_count(void);
unsigned __wrap_hak_os_node_count(void);
unsigned __real_hak_os_node(void);
unsigned __wrap_hak_os_node(void);

void os_fake_nodes(unsigned count) { hak_store_relaxed(&nodes, count); }
void os_fake_run_on(unsigned number) { node = number; }
uint64_t os_fake_node_calls(void) { return hak_load_relaxed(&node_calls); }

unsigned __wrap_hak_os_node_count(void) {
    hak_fetch_add_relaxed(&node_calls, 1);
    return hak_load_relaxed(&nodes) != 0 ? hak_load_relaxed(&nodes) : __real_hak_os_node_count();
}

unsigned __wrap_hak_os_node(void) {
    hak_fetch_add_relaxed(&node_calls, 1);
    return hak_load_relaxed(&nodes) != 0 ? node : __real_hak_os_node();
}

static void call_within(enum os_fake_kind kind) {
    void (*const function)(void) = hak_load_relaxed(&within);
    if (function != NULL && hak_load_relaxed(&within_kind) == (unsigned)kind) {
        hak_store_relaxed(&within, NULL);
        function();
    }
}

static bool fails(enum os_fake_kind kind) {
    if ((hak_load_relaxed(&counted) & (unsigned)kind) == 0) return false;
    uint64_t call = hak_fetch_add_relaxed(&calls, 1) + 1;
    uint64_t first = hak_load_relaxed(&fail_from);
    return call == hak_load_relaxed(&fail_at) || (first != 0 && call >= first);
}

unsigned __real_hak_os_address_bits(void);
unsigned __wrap_hak_os_address_bits(void);
__attribute__((weak)) extern const unsigned os_fake_address_bits;

unsigned __wrap_hak_os_address_bits(void) {
    return &os_fake_address_bits != NULL ? os_fake_address_bits : __real_hak_os_address_bits();
}

/* Declares the real primitive and its wrapper, and defines the wrapper. */
#define WRAP(kind, primitive, parameters, arguments) \
    int __real_##primitive parameters;               \
    int __wrap_##primitive parameters;               \
    int __wrap_##primitive parameters {              \
        call_within(kind);                           \
        if (fails(kind)) return ENOMEM;              \
        return __real_##primitive arguments;         \
    }

WRAP(OS_FAKE_MAP, hak_os_map, (size_t size, size_t alignment, void **out), (size, alignment, out))
WRAP(OS_FAKE_MAP, hak_os_map_block, (size_t size, size_t alignment, void **out), (size, alignment, out))
WRAP(OS_FAKE_MAP_LEFT, hak_os_map_left, (void *start, size_t size), (start, size))
WRAP(OS_FAKE_MAP_WIPED, hak_os_map_wiped, (size_t size, void **out), (size, out))
WRAP(OS_FAKE_RESERVE, hak_os_reserve, (size_t size, void **out), (size, out))
WRAP(OS_FAKE_RESERVE_ALIGNED, hak_os_reserve_aligned, (size_t size, size_t alignment, void **out),
     (size, alignment, out))
WRAP(OS_FAKE_COMMIT, hak_os_commit, (void *start, size_t size), (start, size))
WRAP(OS_FAKE_MAP_AT, hak_os_map_at, (void *start, size_t size), (start, size))
WRAP(OS_FAKE_MAP_AT, hak_os_map_beside, (void *start, size_t size), (start, size))
WRAP(OS_FAKE_RESERVE_FIRST, hak_os_reserve_first, (size_t size, size_t alignment, void **out), (size, alignment, out))
WRAP(OS_FAKE_MAKE_WRITABLE, hak_os_make_writable, (void *start, size_t size), (start, size))
WRAP(OS_FAKE_MAKE_INACCESSIBLE, hak_os_make_inaccessible, (void *start, size_t size), (start, size))
WRAP(OS_FAKE_RESIDENT, hak_os_resident, (void *start, size_t size, unsigned char *pages), (start, size, pages))
WRAP(OS_FAKE_RANDOM, hak_os_random, (void *out, size_t size), (out, size))
WRAP(OS_FAKE_UNMAP, hak_os_unmap, (void *start, size_t size), (start, size))
WRAP(OS_FAKE_POPULATE, hak_os_populate, (void *start, size_t size), (start, size))
WRAP(OS_FAKE_PURGE, hak_os_purge, (void *start, size_t size), (start, size))
WRAP(OS_FAKE_REMAP, hak_os_remap, (void *start, size_t old_size, size_t new_size, size_t alignment, void **out),
     (start, old_size, new_size, alignment, out))
WRAP(OS_FAKE_PURGE, hak_os_purge_by_mapping, (void *start, size_t size), (start, size))
WRAP(OS_FAKE_START_THREAD, hak_os_start_thread, (void *(*main)(void *), void *argument, uintptr_t *thread),
     (main, argument, thread))
WRAP(OS_FAKE_NO_HUGE_PAGES, hak_os_no_huge_pages, (void *start, size_t size), (start, size))
WRAP(OS_FAKE_HUGE_PAGES, hak_os_huge_pages, (void *start, size_t size), (start, size))
