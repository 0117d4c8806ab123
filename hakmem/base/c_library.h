/* SPDX-License-Identifier: MIT */
/* What glibc has and other C libraries have not, or name otherwise; the others are tested with musl.
 *
 * musl's headers come without the kernel's (musl-gcc sees none), so what is needed of those stands here too. */
#ifndef HAKMEM_BASE_C_LIBRARY_H
#define HAKMEM_BASE_C_LIBRARY_H

#include <string.h>

#include "hakmem/base/compiler.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Linux, include/uapi/linux/futex.h: futexes of one process. */
#define C_LIBRARY_FUTEX_WAIT 128
#define C_LIBRARY_FUTEX_WAKE 129

#ifdef __GLIBC__
/* Where the kernel put argc, and behind it the arguments, NULL, and the environment. From glibc's loader. */
extern void *__libc_stack_end;

/* The environment before the C library's first constructor. */
HAK_ALWAYS_INLINE char **c_library_environment(void) {
    const long argument_count = *(long *)__libc_stack_end;
    return (char **)__libc_stack_end + 1 + argument_count + 1;
}

/* A text that is constant. NULL: it is no error */
#define c_library_error_text(error) strerrordesc_np(error)
#else
/* Others set `environ` before any constructor; where a program has cleared it there is none. */
HAK_ALWAYS_INLINE char **c_library_environment(void) {
    static char *none[1];
    return none;
}

/* musl's strerror allocates nothing and has no buffer. */
#define c_library_error_text(error) strerror(error)
#endif

#ifdef __cplusplus
}
#endif

#endif
