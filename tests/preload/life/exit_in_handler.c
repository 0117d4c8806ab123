/* SPDX-License-Identifier: MIT */
/* A signal handler ends the process by exit while the program resizes a huge block. The allocator holds the lock of huge
 * blocks during that system call, so that most signals come while the thread holds it.
 *
 *     exit_in_handler MILLISECONDS     from the first resize to the signal */
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

#include "tests/preload/life/life.h"

#define SMALL (64 * MIB)
#define LARGE (128 * MIB)

static void end(int signal) {
    (void)signal;
    exit(0);
}

static void *resize(void *block, size_t size) {
    block = realloc(block, size);
    LIFE_CHECK(block != NULL);
    return block;
}

int main(int argc, char **argv) {
    LIFE_CHECK(argc == 2);
    life_begin();
    const struct sigaction action = {.sa_handler = end};
    const struct itimerval soon = {.it_value = {.tv_usec = 1000 * atoi(argv[1])}};
    LIFE_CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    void *block = resize(malloc(SMALL), LARGE);
    LIFE_CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
    for (;;) {
        block = resize(resize(block, SMALL), LARGE);
    }
}
