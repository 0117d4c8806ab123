/* SPDX-License-Identifier: MIT */
/* Ends in the way that the first argument names, after it has opened the library that the second one names, where there is one,
 * and with a third one has opened it in a name space of its own. Built WITH_LIBRARY it is linked with the one that frees late. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef WITH_LIBRARY
#include "tests/preload/descriptors/library_frees_late.h"
#else
static int library_has_block(void) { return 1; }
#endif

static void *exit_in_thread(void *unused) {
    exit(0);
    return unused;
}

static void end_by_exit(void) { exit(0); }

static void end_by_exit_of_a_thread(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, exit_in_thread, NULL) == 0) pthread_join(thread, NULL);
    abort();
}

static void leave_child_by_exit(void) {
    int status = -1;
    const pid_t child = fork();
    if (child == 0) exit(0);
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) abort();
}

static void end_at_once(void) { _exit(0); }

static void end_by_quick_exit(void) { quick_exit(0); }

static void just_return(void) {}

#ifndef NO_LIBRARIES /* a static program had better not open any */
static int open_library(const char *path, int is_alone) {
    if ((is_alone ? dlmopen(LM_ID_NEWLM, path, RTLD_NOW) : dlopen(path, RTLD_NOW)) != NULL) return 1;
    fprintf(stderr, "%s\n", dlerror());
    return 0;
}
#else
static int open_library(const char *path, int is_alone) { return path == NULL && is_alone; }
#endif

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*end)(void);
    } ways[] = {
        {"return", just_return},
        {"exit", end_by_exit},
        {"thread", end_by_exit_of_a_thread},
        {"fork", leave_child_by_exit},
        {"_exit", end_at_once},
        {"quick_exit", end_by_quick_exit},
        {"abort", abort},
    };
    if (argc < 2 || (argc > 2 && !open_library(argv[2], argc > 3)) || !library_has_block()) return 2;
    free(malloc(100));
    for (unsigned i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        if (strcmp(argv[1], ways[i].name) == 0) {
            ways[i].end();
            return 0;
        }
    }
    return 2;
}
