/* SPDX-License-Identifier: MIT */
/* A program with many calls, for tests under load: churn THREADS CALLS [die | fork | leave].
 *
 * Each thread draws random slots of one shared table; what it finds there it frees or reallocates, whoever allocated
 * it, and puts a new block there. So most blocks die on another thread than they were born on, and the same addresses
 * come again at once. Threads end at different times. With `die` the first thread, which makes the most calls, kills the
 * process in the middle of them; with `fork` it makes children all the time, which allocate and end; with `leave` it
 * ends while the other threads go on and new ones are made. */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOTS 512
#define SIZE_MAX_DRAWN 300
#define THREADS_MAX 64

static void *slots[SLOTS]; /* atomic */
static unsigned long calls;
static int dies, forks, leaves;

#define CHILDREN 30

static uint64_t next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void make_child(void) {
    pid_t child = fork();
    if (child == 0) {
        for (size_t i = 1; i < 100; i++) {
            free(malloc(i));
        }
        _exit(0);
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
        _exit(1);
    }
}

/* A thread that begins as the process ends. */
static void *one_call(void *argument) {
    free(malloc(1 + (uintptr_t)argument % 100));
    return NULL;
}

static void make_thread(unsigned long i) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, one_call, (void *)(uintptr_t)i) == 0) {
        pthread_detach(thread);
    }
}

static void *churn(void *argument) {
    uint64_t state = (uintptr_t)argument * UINT64_C(0x9e3779b97f4a7c15) + 1;
    unsigned long mine = leaves && argument != NULL ? (unsigned long)-1 : calls / (1 + (uintptr_t)argument % 3);
    for (unsigned long i = 0; i < mine; i++) {
        uint64_t random = next(&state);
        void **slot = &slots[random % SLOTS];
        size_t size = 1 + (random >> 20) % SIZE_MAX_DRAWN;
        void *p = __atomic_exchange_n(slot, NULL, __ATOMIC_ACQ_REL);
        if ((random >> 40) % 4 == 0) {
            p = realloc(p, size);
        } else {
            free(p);
            p = malloc(size);
        }
        memset(p, (int)random, size);
        free(__atomic_exchange_n(slot, p, __ATOMIC_ACQ_REL));
        if (dies && argument == NULL && i == mine / 2) {
            raise(SIGKILL);
        }
        if (leaves && argument != NULL && i % 100 == 0) {
            make_thread(i);
        }
        if (forks && argument == NULL && i % (mine / CHILDREN + 1) == 0) {
            make_child();
        }
    }
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t threads[THREADS_MAX];
    unsigned long count = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
    if (count == 0 || count > THREADS_MAX) {
        return 2;
    }
    calls = strtoul(argv[2], NULL, 10);
    dies = argc > 3 && strcmp(argv[3], "die") == 0;
    forks = argc > 3 && strcmp(argv[3], "fork") == 0;
    leaves = argc > 3 && strcmp(argv[3], "leave") == 0;
    for (unsigned long i = 1; i < count; i++) {
        if (pthread_create(&threads[i], NULL, churn, (void *)(uintptr_t)i) != 0) {
            return 1;
        }
    }
    churn(NULL);
    if (leaves) {
        return 0;
    }
    for (unsigned long i = 1; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    for (unsigned i = 0; i < SLOTS; i++) {
        free(slots[i]);
    }
    return 0;
}
