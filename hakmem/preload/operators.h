/* SPDX-License-Identifier: MIT */
/* operator new and delete by the names that the C++ ABI gives them, for C. size_t is "m", as on every 64-bit
 * Linux; std::align_val_t is passed as size_t, a reference as a pointer.
 *
 * Weak: a program that is linked with these may define some itself, and has no two of one name then. */
#ifndef HAKMEM_PRELOAD_OPERATORS_H
#define HAKMEM_PRELOAD_OPERATORS_H

#include "hakmem/base/compiler.h"
#include "hakmem/preload/cxx_runtime.h"

HAK_STATIC_ASSERT(sizeof(size_t) == 8, "the names below say unsigned long");

#define OPERATORS_API __attribute__((visibility("default"), weak))

/* A form that others call or compare with: the function itself has an address that nothing replaces. */
#define OPERATOR(name, function) extern __typeof__(function)(name) __attribute__((alias(#function)))

/* operator new(size), and new[] */
OPERATORS_API void *_Znwm(size_t size);
OPERATORS_API void *_Znam(size_t size);
OPERATORS_API void *_ZnwmRKSt9nothrow_t(size_t size, const void *nothrow);
OPERATORS_API void *_ZnamRKSt9nothrow_t(size_t size, const void *nothrow);
OPERATORS_API void *_ZnwmSt11align_val_t(size_t size, size_t alignment);
OPERATORS_API void *_ZnamSt11align_val_t(size_t size, size_t alignment);
OPERATORS_API void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment, const void *nothrow);
OPERATORS_API void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment, const void *nothrow);

/* operator delete(p), and delete[] */
OPERATORS_API void _ZdlPv(void *p);
OPERATORS_API void _ZdaPv(void *p);
OPERATORS_API void _ZdlPvm(void *p, size_t size);
OPERATORS_API void _ZdaPvm(void *p, size_t size);
OPERATORS_API void _ZdlPvRKSt9nothrow_t(void *p, const void *nothrow);
OPERATORS_API void _ZdaPvRKSt9nothrow_t(void *p, const void *nothrow);
OPERATORS_API void _ZdlPvSt11align_val_t(void *p, size_t alignment);
OPERATORS_API void _ZdaPvSt11align_val_t(void *p, size_t alignment);
OPERATORS_API void _ZdlPvmSt11align_val_t(void *p, size_t size, size_t alignment);
OPERATORS_API void _ZdaPvmSt11align_val_t(void *p, size_t size, size_t alignment);
OPERATORS_API void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *p, size_t alignment, const void *nothrow);
OPERATORS_API void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *p, size_t alignment, const void *nothrow);

/* Whether a form of new, and what it calls, are those of operators.c: the program replaced none. */
bool hak_operators_are_own(enum cxx_new form);

#endif
