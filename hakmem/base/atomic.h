/* SPDX-License-Identifier: MIT */
/* Atomic accesses with the memory order in the name.
 *
 * They use builtins instead of <stdatomic.h>: fields keep their plain types, so C++ tests can include the headers, and
 * every caller has to name an order. Each call states the reason for its order. */
#ifndef HAKMEM_BASE_ATOMIC_H
#define HAKMEM_BASE_ATOMIC_H

#include "hakmem/base/compiler.h"
#include "hakmem/base/contention.h"
#include "hakmem/base/disturb.h"

#define hak_load_relaxed(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define hak_load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define hak_store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define hak_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define hak_load_seq_cst(p) __atomic_load_n((p), __ATOMIC_SEQ_CST)
#define hak_exchange_seq_cst(p, v) (contention_step(p), __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST))
#define hak_exchange_acquire(p, v) (contention_step(p), __atomic_exchange_n((p), (v), __ATOMIC_ACQUIRE))
#define hak_exchange_acq_rel(p, v) (contention_step(p), __atomic_exchange_n((p), (v), __ATOMIC_ACQ_REL))
#define hak_fetch_or_release(p, v) (contention_step(p), __atomic_fetch_or((p), (v), __ATOMIC_RELEASE))
#define hak_fetch_or_acq_rel(p, v) (contention_step(p), __atomic_fetch_or((p), (v), __ATOMIC_ACQ_REL))
#define hak_fetch_add_relaxed(p, v) (contention_step(p), __atomic_fetch_add((p), (v), __ATOMIC_RELAXED))
#define hak_fetch_add_seq_cst(p, v) (contention_step(p), __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST))
#define hak_fetch_add_acq_rel(p, v) (contention_step(p), __atomic_fetch_add((p), (v), __ATOMIC_ACQ_REL))

/* true if *p was equal to *expected and is now `desired`; otherwise *expected is the value found. */
#define hak_compare_exchange_acq_rel(p, expected, desired) \
    (contention_step(p),                                   \
     __atomic_compare_exchange_n((p), (expected), (desired), false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))

/* As above, but sequentially consistent: for two threads that each store to their own word and then read the
 * other's. */
#define hak_compare_exchange_seq_cst(p, expected, desired) \
    (contention_step(p),                                   \
     __atomic_compare_exchange_n((p), (expected), (desired), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))

/* Relaxed accesses to hot fields that one thread writes and others only read. A volatile access is a single untorn
 * access, and relaxed requires no more. The builtins prevent GCC 12 from folding the address, which costs three more
 * instructions in free. ThreadSanitizer understands only the builtins.
 *
 * hak_move_owned adds to a pointer that was just loaded. On x86-64 that is one instruction with a memory operand;
 * without the barrier the compiler reuses the loaded value, and needs two instructions and a register. */
#if HAK_THREAD_SANITIZER
#define hak_load_owned(p) hak_load_relaxed(p)
#define hak_store_owned(p, v) hak_store_relaxed((p), (v))
#define hak_move_owned(p, n) hak_store_relaxed((p), hak_load_relaxed(p) + (n))
#else
#define hak_load_owned(p) (*(volatile __typeof__(*(p)) *)(p))
#define hak_store_owned(p, v) ((void)(*(volatile __typeof__(*(p)) *)(p) = (v)))
#define hak_move_owned(p, n)      \
    (__extension__({              \
        __asm__("" ::: "memory"); \
        *(p) += (n);              \
    }))
#endif

/* Lowers `top`, a variable, by one slot and results in what lies there; stores v at `top` and raises it by one slot. On arm64 one
 * instruction each, which gcc 12 does not find. */
#if defined(__aarch64__) && !HAK_THREAD_SANITIZER && !HAK_ADDRESS_SANITIZER
#define hak_load_below(top)                                                       \
    (__extension__({                                                              \
        __typeof__(*(top)) below_;                                                \
        __asm__("ldr %0, [%1, #-8]!" : "=r"(below_), "+r"(top) : "m"((top)[-1])); \
        below_;                                                                   \
    }))
#define hak_store_above(top, v) __asm__ volatile("str %1, [%0], #8" : "+r"(top) : "r"(v) : "memory")
#else
#define hak_load_below(top) (*--(top))
#define hak_store_above(top, v) (hak_store_owned((top), (v)), (void)(top)++)
#endif

/* As hak_move_owned, where the caller has the sum: other processors than x86-64 store it, and arm64 computes it in the load of
 * what lies there. */
#if defined(__x86_64__) && !HAK_THREAD_SANITIZER
#define hak_move_owned_to(p, n, sum) hak_move_owned(p, n)
#else
#define hak_move_owned_to(p, n, sum) hak_store_owned((p), (sum))
#endif

/* As hak_move_owned_to, with release order, for a pointer that publishes data: a thread that loads it with acquire sees
 * the stores before it. x86-64 makes stores visible in program order, so there the instruction with a memory operand is
 * already a release store. Other processors need a store-release (stlr on arm64). */
#if defined(__x86_64__) && !HAK_THREAD_SANITIZER
#define hak_move_owned_release(p, n, sum) hak_move_owned(p, n)
#else
#define hak_move_owned_release(p, n, sum) hak_store_release((p), (sum))
#endif

/* Fences between plain relaxed accesses, for sequence locks that guard more than a few words. No instruction on x86-64.
 *
 *     writer                    reader
 *     sequence = odd            ... loads of what is guarded
 *     hak_fence_release         hak_fence_acquire
 *     ... stores                loads the sequence
 *
 * A reader that saw one of the stores also sees the odd sequence. ThreadSanitizer does not support fences. It does not
 * need them here, because it reports data races and all these accesses are atomic. */
#if HAK_THREAD_SANITIZER
#define hak_fence_release() __atomic_signal_fence(__ATOMIC_RELEASE)
#define hak_fence_acquire() __atomic_signal_fence(__ATOMIC_ACQUIRE)
#else
#define hak_fence_release() __atomic_thread_fence(__ATOMIC_RELEASE)
#define hak_fence_acquire() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#endif

/* A relaxed load, for the fast paths, of a value that hardly ever changes. As a plain access it becomes a memory
 * operand of the instruction that uses it, unlike a builtin or a volatile access. The compiler may read it earlier, or
 * once for several uses; each caller says why that is correct. */
#if HAK_THREAD_SANITIZER
#define hak_load_setting(p) hak_load_relaxed(p)
#else
#define hak_load_setting(p) (*(p))
#endif

/* A relaxed load of a byte of a table, for the fast paths, of a value that stays what it is while the caller's block lives. gcc 12
 * extends what the builtin and a volatile access load by one more instruction on arm64. */
#if defined(__x86_64__)
#define hak_load_entry(p) hak_load_relaxed(p)
#else
#define hak_load_entry(p) hak_load_setting(p)
#endif

/* Adds to a count that one thread writes and others only read, so no atomic read-modify-write is needed. */
#define hak_count_add(p, n) hak_store_relaxed((p), hak_load_relaxed(p) + (n))

#endif
