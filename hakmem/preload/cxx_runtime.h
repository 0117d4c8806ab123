/* SPDX-License-Identifier: MIT */
/* What operator new asks of the C++ runtime where there is no memory, or where the program has its own operator.
 *
 * Two implementations: cxx_runtime_loaded.c finds a runtime among what the process has loaded, so that the shared
 * library needs none and C programs load none; cxx_runtime_linked.cc is linked with one. `caller` is an address
 * in the code that called operator new: it says whose runtime is meant where there are several. */
#ifndef HAKMEM_PRELOAD_CXX_RUNTIME_H
#define HAKMEM_PRELOAD_CXX_RUNTIME_H

#include "hakmem/base/compiler.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef void (*cxx_handler)(void);

/* std::get_new_handler(); NULL as well where there is no C++ runtime. */
HAK_COLD cxx_handler hak_cxx_new_handler(const void *caller);

/* Throws std::bad_alloc. Aborts, with a line on standard error, where there is no C++ runtime. */
HAK_COLD __attribute__((noreturn)) void hak_cxx_throw_bad_alloc(const void *caller);

enum cxx_new { CXX_NEW, CXX_NEW_ARRAY, CXX_NEW_ALIGNED, CXX_NEW_ARRAY_ALIGNED };

/* That form of operator new inside a try; the forms that are not aligned ignore the alignment. NULL where it, or a
 * handler that it called, threw. */
HAK_COLD void *hak_cxx_new_caught(enum cxx_new form, size_t size, size_t alignment, const void *caller);

#ifdef __cplusplus
}
#endif

#endif
