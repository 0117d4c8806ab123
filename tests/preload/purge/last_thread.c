/* SPDX-License-Identifier: MIT */
/*     last_thread PUBLISHED
 *
 * main ends by pthread_exit, then the last worker after it freed megabytes: the exit handlers need a stack of ordinary size and
 * run where signals arrive. With PUBLISHED, once the page of the statistics is there. */
#include <alloca.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/preload/published_page.h"

static size_t stack_bytes = (size_t)2 << 20;
static bool publishes;

static void at_exit(void) {
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    volatile char *stack = alloca(stack_bytes);
    for (size_t i = 0; i < stack_bytes; i += 512) stack[stack_bytes - 1 - i] = 1;
    printf("exit: %s\n", sigismember(&blocked, SIGTERM) ? "blocked" : "as ever");
    fflush(stdout);
}

static void *work(void *unused) {
    void *blocks[8];
    for (int i = 0; i < 8; i++) blocks[i] = memset(malloc(1000000), 1, 1000000);
    for (int i = 0; i < 8; i++) free(blocks[i]);
    free(malloc(100000));
    if (publishes) published_page_wait();
    return unused;
}

int main(int argc, char **argv) {
    pthread_t thread;
    publishes = argc > 1;
    (void)argv;
    atexit(at_exit);
    pthread_create(&thread, NULL, work, NULL);
    pthread_detach(thread);
    pthread_exit(NULL);
}
