/* SPDX-License-Identifier: MIT */
/* A program of one thread frees much of all sizes and goes on a little. Prints how many threads it has then, and whether it may
 * still do what only a process of one thread may; the fork that follows finds one thread, too. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/preload/purge/tasks.h"

static void allocate_and_free(size_t size, unsigned count) {
    static void *blocks[20000];
    for (unsigned i = 0; i < count; i++) blocks[i] = memset(malloc(size), 1, size);
    for (unsigned i = 0; i < count; i++) free(blocks[i]);
}

int main(void) {
    allocate_and_free(200, 20000);
    allocate_and_free(20000, 1000);
    allocate_and_free(1000000, 20);
    allocate_and_free(3000000, 8);
    printf("threads %d\n", threads());
    fflush(stdout);
    /* EINVAL is what several threads get; a system that lets nobody do it says EPERM or ENOSPC. */
    const pid_t child = fork();
    if (child == 0) {
        allocate_and_free(1000000, 20);
        printf("child %d %s\n", threads(), unshare(CLONE_VM) == 0 ? "alone" : "not alone");
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    printf("parent %d %s\n", threads(), unshare(CLONE_VM) == 0 ? "alone" : "not alone");
    return 0;
}
