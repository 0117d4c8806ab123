/* SPDX-License-Identifier: MIT */
/*     detached own|cached
 *
 * Detached threads that never call the allocator end. glibc frees for them, when all their destructors have run:
 *
 *     own       the program gave each its stack; each frees its own table of thread-local storage
 *     cached    the stacks are glibc's, more than it keeps; a thread that ends frees the tables of others that have
 *               ended, and unmaps their stacks, in which their thread-local storage lies
 *
 * Then the only thread left forks. Prints how the child ended; the statistics at exit say how many threads there are. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 32
#define STACK_BYTES ((size_t)8 << 20)

static pthread_barrier_t barrier;

static void must(int holds, const char *what) {
    if (!holds) {
        perror(what);
        exit(1);
    }
}

static void *wait_only(void *unused) {
    pthread_barrier_wait(&barrier);
    return unused;
}

static void start(int has_own_stack) {
    pthread_t thread;
    pthread_attr_t attributes;
    must(pthread_attr_init(&attributes) == 0, "pthread_attr_init");
    must(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0, "pthread_attr_setdetachstate");
    if (has_own_stack) {
        /* Never unmapped, so that whoever still reads what lies there does so unharmed. */
        void *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
        must(stack != MAP_FAILED, "mmap");
        must(pthread_attr_setstack(&attributes, stack, STACK_BYTES) == 0, "pthread_attr_setstack");
    } else {
        must(pthread_attr_setstacksize(&attributes, STACK_BYTES) == 0, "pthread_attr_setstacksize");
    }
    must(pthread_create(&thread, &attributes, wait_only, NULL) == 0, "pthread_create");
    must(pthread_attr_destroy(&attributes) == 0, "pthread_attr_destroy");
}

/* A folder has a link of each folder in it, and two of its own. */
static int is_alone(void) {
    struct stat tasks;
    must(stat("/proc/self/task", &tasks) == 0, "/proc/self/task");
    return tasks.st_nlink == 3;
}

int main(int argc, char **argv) {
    must(argc == 2, "usage: detached own|cached");
    must(pthread_barrier_init(&barrier, NULL, THREADS + 1) == 0, "pthread_barrier_init");
    for (unsigned i = 0; i < THREADS; i++) {
        start(strcmp(argv[1], "own") == 0);
    }
    pthread_barrier_wait(&barrier);
    while (!is_alone()) {
        usleep(1000);
    }
    const pid_t child = fork();
    if (child == 0) {
        free(malloc(1));
        _exit(0);
    }
    int status = -1;
    must(child > 0 && waitpid(child, &status, 0) == child, "fork");
    printf("child %d\n", status);
    return 0;
}
