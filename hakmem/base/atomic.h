/* SPDX-License-Identifier: MIT */
/* Atomic accesses, the memory order in the name.
 *
 * Builtins in place of <stdatomic.h>: fields stay plain types, so headers serve C++ tests too, and every
 * caller has to name an order. The reason for the order stands at each call. */
#ifndef HAKMEM_BASE_ATOMIC_H
#define HAKMEM_BASE_ATOMIC_H

#include "hakmem/base/compiler.h"

#define hak_load_relaxed(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define hak_load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define hak_store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define hak_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define hak_load_seq_cst(p) __atomic_load_n((p), __ATOMIC_SEQ_CST)
#define hak_exchange_seq_cst(p, v) __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
#define hak_exchange_acquire(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQUIRE)
#define hak_exchange_acq_rel(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQ_REL)
#define hak_fetch_or_release(p, v) __atomic_fetch_or((p), (v), __ATOMIC_RELEASE)
#define hak_fetch_or_acq_rel(p, v) __atomic_fetch_or((p), (v), __ATOMIC_ACQ_REL)
#define hak_fetch_add_relaxed(p, v) __atomic_fetch_add((p), (v), __ATOMIC_RELAXED)
#define hak_fetch_add_seq_cst(p, v) __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)
#define hak_fetch_add_acq_rel(p, v) __atomic_fetch_add((p), (v), __ATOMIC_ACQ_REL)

/* true where *p was `expected` and is now `desired`; else *expected holds what was found. */
#define hak_compare_exchange_acq_rel(p, expected, desired) \
    __atomic_compare_exchange_n((p), (expected), (desired), false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)

/* The same as one side of a pair that stores to its own word and reads the other's. */
#define hak_compare_exchange_seq_cst(p, expected, desired) \
    __atomic_compare_exchange_n((p), (expected), (desired), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)

/* Relaxed accesses to hot fields that one thread writes and others only read. A volatile access is one
 * plain, whole access, which is all that relaxed asks for; the builtins keep GCC 12 from folding the address
 * and cost three more instructions in free. ThreadSanitizer understands the builtins only.
 *
 * hak_move_owned adds to a pointer that was just loaded. On x86-64 that is one instruction on memory; without the barrier the
 * compiler remembers the loaded value, and takes two and a register. */
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

/* The same for a pointer that tells other threads where to look: who loads it with acquire finds what was stored before. x86-64
 * shows stores in their order, so that the one instruction on memory is a release store already; others need one that says so
 * (stlr, on arm64), and take what was loaded, `from`, rather than load it again. */
#if defined(__x86_64__) && !HAK_THREAD_SANITIZER
#define hak_move_owned_release(p, from, n) hak_move_owned(p, n)
#else
#define hak_move_owned_release(p, from, n) hak_store_release((p), (from) + (n))
#endif

/* Fences between plain relaxed accesses, for sequence locks that guard more than a few words. No instruction on x86-64.
 *
 *     writer                    reader
 *     sequence = odd            ... loads of what is guarded
 *     hak_fence_release         hak_fence_acquire
 *     ... stores                loads the sequence
 *
 * A reader that saw one of the stores sees the odd sequence. ThreadSanitizer does not know fences; what it watches are races,
 * and all these accesses are atomic. */
#if HAK_THREAD_SANITIZER
#define hak_fence_release() __atomic_signal_fence(__ATOMIC_RELEASE)
#define hak_fence_acquire() __atomic_signal_fence(__ATOMIC_ACQUIRE)
#else
#define hak_fence_release() __atomic_thread_fence(__ATOMIC_RELEASE)
#define hak_fence_acquire() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#endif

/* A relaxed load of what hardly ever changes, on the fast paths: as part of the instruction that uses it, which no builtin and
 * no volatile access is. The compiler may read it earlier or once for several uses, and the caller says why that will do. */
#if HAK_THREAD_SANITIZER
#define hak_load_setting(p) hak_load_relaxed(p)
#else
#define hak_load_setting(p) (*(p))
#endif

/* A count that one thread writes and others only read: no read-modify-write is needed. */
#define hak_count_add(p, n) hak_store_relaxed((p), hak_load_relaxed(p) + (n))

#endif
