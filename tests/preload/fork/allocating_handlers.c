/* SPDX-License-Identifier: MIT */
/* What the fork handlers of a library (handlers.c) do: allocate, and have another thread allocate. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/preload/fork/handlers.h"

int main(void) {
    handlers_start_thread();
    free(malloc(100));
    const pid_t child = fork();
    if (child == 0) {
        free(malloc(100));
        _exit(0);
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) return 1;
    puts("forked");
    return 0;
}
