/* SPDX-License-Identifier: MIT */
/* Compiler attributes: inlining, branch hints, thread-local storage, static assertions.
 *
 * Used by every layer. Valid C11 and C++17 for gcc and clang. */
#ifndef HAKMEM_BASE_COMPILER_H
#define HAKMEM_BASE_COMPILER_H

#ifndef __LP64__
#error "hakmem needs a 64-bit processor: pointers, size_t and long of 64 bits (LP64)"
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define HAK_STATIC_ASSERT(condition, text) static_assert(condition, text)
#else
#define HAK_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#endif

#define HAK_ALWAYS_INLINE static inline __attribute__((always_inline))
#define HAK_NOINLINE __attribute__((noinline))
#define HAK_COLD __attribute__((noinline, cold))
/* A function that programs call for every block starts at a cache line, so that one fetch brings all of its fast path.
 * Measured: a pair of malloc and free costs 10 % more (5.46 ns, else 4.93) if each of them straddles a line. */
#define HAK_HOT_ENTRY __attribute__((aligned(HAK_CACHE_LINE)))
/* Makes the compiler keep a pointer in the return register, or in any register. malloc uses it, or gcc 12 copies the block there
 * at the end; in guard builds only so does it fit one cache line. Measured: when it was 3 to 13 bytes longer, with its `ret`
 * in the next line, a pair of malloc and free took 6 % more. */
#if defined(__x86_64__)
#define HAK_IN_RETURN_REGISTER(p) __asm__("" : "+a"(p))
#else
#define HAK_IN_RETURN_REGISTER(p) HAK_IN_REGISTER(p)
#endif
#define HAK_IN_REGISTER(p) __asm__("" : "+r"(p))
/* For addresses that x86-64 computes within an instruction that uses them. Other processors have them in a register. */
#if defined(__x86_64__)
#define HAK_IN_REGISTER_BESIDE_X86(p) ((void)0)
#else
#define HAK_IN_REGISTER_BESIDE_X86(p) HAK_IN_REGISTER(p)
#endif
#define HAK_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define HAK_UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* Whether the code is instrumented by a sanitizer; gcc and clang report it in different ways. */
#ifdef __has_feature
#define HAK_HAS_FEATURE(name) __has_feature(name)
#else
#define HAK_HAS_FEATURE(name) 0
#endif
#if defined(__SANITIZE_THREAD__) || HAK_HAS_FEATURE(thread_sanitizer)
#define HAK_THREAD_SANITIZER 1
#else
#define HAK_THREAD_SANITIZER 0
#endif
#if defined(__SANITIZE_ADDRESS__) || HAK_HAS_FEATURE(address_sanitizer)
#define HAK_ADDRESS_SANITIZER 1
#else
#define HAK_ADDRESS_SANITIZER 0
#endif

/* Data hidden from other libraries: instructions address it directly, while the compiler would otherwise load its
 * address from the global offset table first. */
#define HAK_INTERNAL __attribute__((visibility("hidden")))

/* For what fast paths name outside their file. On x86-64 the linker turns a load of its address from the global offset table, and
 * a jump through it, into the short form; on other processors only a compiler that knows it for hidden can. */
#if defined(__x86_64__)
#define HAK_NEAR
#else
#define HAK_NEAR HAK_INTERNAL
#endif

/* Initial-exec: an access loads a fixed offset from the thread pointer, and makes no call that could allocate. musl refuses to
 * dlopen what is built so. With HAK_TLS_DYNAMIC an access is a call, which allocates nothing in musl; glibc's may. */
#if defined(HAK_TLS_DYNAMIC) && !defined(__GLIBC__)
#define HAK_THREAD_LOCAL __thread __attribute__((tls_model("global-dynamic")))
#else
#define HAK_THREAD_LOCAL __thread __attribute__((tls_model("initial-exec")))
#endif

/* Variables that different threads write lie at least this many bytes apart: a cache line of all x86-64 and most ARM
 * processors. */
#define HAK_CACHE_LINE 64
#define HAK_CACHE_ALIGNED __attribute__((aligned(HAK_CACHE_LINE)))

#endif
