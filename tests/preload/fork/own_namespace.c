/* SPDX-License-Identifier: MIT */
/* A library in a name space of its own, with a C library of its own, has a key for data of threads, which threads of this
 * program use. Both C libraries number their keys from 0, and keep the data in one place of the thread.
 *
 *     own_namespace LIBRARY VALUE      VALUE: what the key is set to: block, or null
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hakmem/hakmem.h"

#define THREADS 10

/* Not there under the C library's malloc. */
#pragma weak hak_stats_get

static void (*use_key)(bool is_null);
static bool is_null;

static void *use(void *unused) {
    free(malloc(100));
    use_key(is_null);
    for (size_t i = 0; i < 100; i++) free(malloc(100 * i));
    return unused;
}

int main(int argc, char **argv) {
    void *library = argc == 3 ? dlmopen(LM_ID_NEWLM, argv[1], RTLD_NOW) : NULL;
    if (library == NULL) {
        puts(argc == 3 ? dlerror() : "two arguments");
        return 2;
    }
    *(void **)&use_key = dlsym(library, "use_key");
    is_null = strcmp(argv[2], "null") == 0;
    for (int i = 0; i < THREADS; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, use, NULL) != 0 || pthread_join(thread, NULL) != 0) return 3;
    }
    struct hak_stats stats = {.threads = 0};
    if (hak_stats_get != NULL) hak_stats_get(&stats);
    /* This one, and one of the allocator's own. */
    puts(stats.threads <= 2 ? "ok" : "threads that have ended are still there");
    return 0;
}
