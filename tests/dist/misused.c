/* SPDX-License-Identifier: MIT */
/* A program of a user: what it does wrong is its argument.
 *
 *     misused twice   frees a block twice
 *     misused over    writes behind a block's end
 *     misused wait    keeps a block, says "ready PID", and waits for the end of its input */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CALLED __attribute__((noinline, noclone))

static char *volatile kept;

CALLED static void keep(void) { kept = malloc(64); }

CALLED static void release(char *block) {
    free(block);
    __asm__ volatile("" : : : "memory"); /* or the call would be a jump, from nowhere */
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    keep();
    if (kept == NULL) return 1;
    if (strcmp(what, "wait") == 0) {
        char byte;
        char line[32];
        const int length = snprintf(line, sizeof line, "ready %ld\n", (long)getpid());
        if (write(STDOUT_FILENO, line, (size_t)length) != length) return 1;
        return read(STDIN_FILENO, &byte, 1) == 0 ? 0 : 1;
    }
    if (strcmp(what, "over") == 0) kept[64] = 'x';
    release(kept);
    if (strcmp(what, "twice") == 0) release(kept);
    return 0;
}
