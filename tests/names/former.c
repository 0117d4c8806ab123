/* SPDX-License-Identifier: MIT */
/* Functions of a program that bear the names which functions and variables inside hakmem bore before they began with hak_: what
 * refers to one of them from within hakmem would get the program's. No program calls any. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((noreturn)) static void was_called(const char *name) {
    static const char said[] = " of the program was called\n";
    if (write(STDERR_FILENO, name, strlen(name)) < 0 || write(STDERR_FILENO, said, sizeof said - 1) < 0) {
        _exit(EXIT_FAILURE);
    }
    abort();
}

#define FORMER(name) \
    void name(void); \
    void name(void) { was_called(#name); }
#include "tests/names/former.inc"
