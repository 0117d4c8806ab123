/* SPDX-License-Identifier: MIT */
/* A signal handler forks, whatever the program is doing: its threads do nothing but allocate and free.
 *
 *     handler_forks THREADS FORKS KIND
 *
 * KIND ends: the child calls _exit at once. KIND returns: it returns from the handler, so that it goes on with the call that was
 * interrupted, and with some more; only for one thread, since a child of several may not allocate then. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOTS 64
#define ROUNDS_OF_CHILD 20

/* Between the end of a handler and the next signal: less than a fork takes. Only how often the program is met inside the
 * allocator depends on it. */
#define PAUSE_US 200

static int forks_wanted;
static bool child_returns;
static volatile int
    forks; /* the handler alone writes; it is blocked in itself, and the next signal is asked for at its end */
static volatile sig_atomic_t is_child;

static void ask_for_signal(void) {
    const struct itimerval once = {.it_value = {.tv_usec = PAUSE_US}};
    setitimer(ITIMER_REAL, &once, NULL);
}

static void fork_in_handler(int number) {
    (void)number;
    const int saved_errno = errno;
    const pid_t child = fork();
    if (child == 0) {
        if (!child_returns) _exit(0);
        is_child = 1;
        errno = saved_errno;
        return;
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) _exit(2);
    if (++forks < forks_wanted) ask_for_signal();
    errno = saved_errno;
}

static void *allocate(void *seed) {
    unsigned random = (unsigned)(size_t)seed;
    char *blocks[SLOTS] = {NULL};
    int rounds_of_child = 0;
    while (forks < forks_wanted) {
        if (is_child && ++rounds_of_child > ROUNDS_OF_CHILD) _exit(0);
        for (unsigned i = 0; i < SLOTS; i++) {
            random = random * 1103515245 + 12345;
            if (blocks[i] != NULL && *blocks[i] != (char)i) _exit(3);
            free(blocks[i]);
            const size_t size = (random >> 8) % ((random >> 30) == 0   ? 2000000
                                                 : (random >> 30) == 1 ? 40000
                                                                       : 2000) +
                                1;
            blocks[i] = malloc(size);
            if (blocks[i] == NULL) _exit(4);
            blocks[i][0] = (char)i;
        }
    }
    for (unsigned i = 0; i < SLOTS; i++) free(blocks[i]);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 4) return 1;
    const int threads = atoi(argv[1]);
    forks_wanted = atoi(argv[2]);
    child_returns = strcmp(argv[3], "returns") == 0;
    const struct sigaction action = {.sa_handler = fork_in_handler, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    ask_for_signal();
    pthread_t others[16];
    for (int i = 1; i < threads; i++) {
        if (pthread_create(&others[i], NULL, allocate, (void *)(size_t)i) != 0) return 5;
    }
    allocate(NULL);
    for (int i = 1; i < threads; i++) pthread_join(others[i], NULL);
    printf("%d forks\n", forks);
    return 0;
}
