/* SPDX-License-Identifier: MIT */
/* fork of a C program, with and without threads: what libc itself does to malloc around it. */
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/preload/surface/check.h"
#include "tests/preload/surface/sizes.h"

static void churn(void) {
    /* Without the largest, whose pages cost more time than they tell. */
    for (int i = 0; i < SIZE_COUNT - 2; i++) {
        void *p = check_opaque(malloc(sizes[i]));
        memset(p, 1, sizes[i]);
        free(p);
    }
}

static bool child_succeeds(void *inherited) {
    pid_t child = fork();
    if (child == 0) {
        churn();
        free(inherited);
        _exit(0);
    }
    int status = -1;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static bool stop; /* atomic */

static void *churn_until_stopped(void *argument) {
    (void)argument;
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        churn();
    }
    return NULL;
}

int main(void) {
    void *inherited = check_opaque(malloc(100));
    CHECK(child_succeeds(inherited));
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, churn_until_stopped, NULL) == 0);
    for (int i = 0; i < 20; i++) {
        CHECK(child_succeeds(inherited));
    }
    __atomic_store_n(&stop, true, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    CHECK(child_succeeds(inherited));
    free(inherited);
    return check_done();
}
