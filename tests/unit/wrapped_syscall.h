/* SPDX-License-Identifier: MIT */
/* A test's own kernel: linked with -Wl,--wrap=syscall, what is asked of the system by number is answered by
 * answered_syscall, which the including file defines. */
#ifndef TESTS_UNIT_WRAPPED_SYSCALL_H
#define TESTS_UNIT_WRAPPED_SYSCALL_H

#include <stdarg.h>

#define SYSCALL_ARGUMENTS 6

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

/* `argument` has SYSCALL_ARGUMENTS values, of which the call has set as many as it has. -1 and errno, as syscall(2) */
static long answered_syscall(long number, const long *argument);

/* What the kernel says. */
static inline long real_syscall(long number, const long *argument) {
    return __real_syscall(number, argument[0], argument[1], argument[2], argument[3], argument[4], argument[5]);
}

long __wrap_syscall(long number, ...) {
    long argument[SYSCALL_ARGUMENTS];
    va_list rest;
    va_start(rest, number);
    for (unsigned i = 0; i < SYSCALL_ARGUMENTS; i++) argument[i] = va_arg(rest, long);
    va_end(rest);
    return answered_syscall(number, argument);
}

#endif
