/* SPDX-License-Identifier: MIT */
/* Single steps of the calling thread, on x86-64: while the flag is set, the kernel sends a SIGTRAP after each instruction. */
#ifndef TESTS_UNIT_TRAP_FLAG_H
#define TESTS_UNIT_TRAP_FLAG_H

#include <stdbool.h>

#define TRAP_FLAG 0x100 /* of EFLAGS (AMD64 manual, volume 2, 13.1.4) */

/* The function may have put something below the stack pointer, where the ABI lets it have 128 bytes. */
#define CHANGE_FLAGS(instruction, value)                                                                               \
    __asm__ volatile("leaq -128(%%rsp), %%rsp\n pushfq\n " instruction " %0, (%%rsp)\n popfq\n leaq 128(%%rsp), %%rsp" \
                     :                                                                                                 \
                     : "i"(value)                                                                                      \
                     : "memory", "cc")

static inline void set_trap_flag(bool is_on) {
    if (is_on) {
        CHANGE_FLAGS("orq", TRAP_FLAG);
    } else {
        CHANGE_FLAGS("andq", ~TRAP_FLAG);
    }
}

#endif
