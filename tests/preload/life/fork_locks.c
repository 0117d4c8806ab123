/* SPDX-License-Identifier: MIT */
/* fork while other threads hold locks of the C library, each of them often.
 *
 *     fork_locks modules FORKS   a thread walks the loaded modules, another opens and closes one: the loader's locks
 *     fork_locks streams FORKS   a thread allocates under a stream's lock, another flushes all streams
 *     fork_locks threads FORKS   a thread starts threads and joins them: the locks of stacks and their storage; those
 *                                threads allocate to the very end, and another asks for the allocator's figures
 *
 * fork makes most of these locks fit for use in the child, and takes some of them in the parent; what an allocator does
 * on its own account must not want one that the child can never have, nor wait for one while it holds its own. Each
 * child allocates and frees, large blocks too, and in the last mode starts a thread that does. */
#include <dlfcn.h>
#include <link.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/preload/life/child.h"
#include "tests/preload/life/life.h"
#include "tests/preload/life/load.h"

#define CHILD_SECONDS 120
#define LARGE_BYTES (3 * MIB)

/* Enough to be in the slow path now and then while the stream's lock is held. */
#define BLOCKS_UNDER_LOCK 200
#define BLOCK_BYTES 100000

#define BLOCKS_AT_THE_END 200

static FILE *stream;

static int look_at(struct dl_phdr_info *module, size_t size, void *unused) {
    (void)module;
    (void)size;
    (void)unused;
    return 0;
}

static void *walk_modules(void *unused) {
    for (;;) {
        (void)dl_iterate_phdr(look_at, NULL);
    }
    return unused;
}

static void *open_and_close(void *unused) {
    for (;;) {
        void *library = dlopen("libm.so.6", RTLD_NOW);
        LIFE_CHECK(library != NULL && dlclose(library) == 0);
    }
    return unused;
}

static void *allocate_under_a_streams_lock(void *unused) {
    for (;;) {
        void *blocks[BLOCKS_UNDER_LOCK];
        flockfile(stream);
        for (unsigned i = 0; i < BLOCKS_UNDER_LOCK; i++) {
            LIFE_CHECK((blocks[i] = malloc(BLOCK_BYTES)) != NULL);
        }
        for (unsigned i = 0; i < BLOCKS_UNDER_LOCK; i++) {
            free(blocks[i]);
        }
        funlockfile(stream);
    }
    return unused;
}

static void *flush_all(void *unused) {
    for (;;) {
        LIFE_CHECK(fflush(NULL) == 0);
    }
    return unused;
}

static pthread_key_t key;

/* An allocator's own end of the thread may have come before. */
static void free_at_the_end(void *block) {
    life_block_free(block);
    for (unsigned i = 0; i < BLOCKS_AT_THE_END; i++) {
        free(malloc(100));
    }
}

static void *live_shortly(void *unused) {
    life_block_free(life_block_new(1000));
    LIFE_CHECK(pthread_setspecific(key, life_block_new(100)) == 0);
    return unused;
}

static void start_and_join_one(void) {
    pthread_t thread;
    LIFE_CHECK(pthread_create(&thread, NULL, live_shortly, NULL) == 0 && pthread_join(thread, NULL) == 0);
}

static void *start_and_join(void *unused) {
    for (;;) {
        start_and_join_one();
    }
    return unused;
}

static void *ask_for_figures(void *unused) {
    for (;;) {
        LIFE_CHECK(mallinfo2().uordblks > 0);
    }
    return unused;
}

static void use_large_blocks(void) {
    void *blocks[2];
    for (unsigned i = 0; i < 2; i++) {
        LIFE_CHECK((blocks[i] = life_block_new(LARGE_BYTES)) != NULL);
    }
    /* After the first of these megabytes wait to be given back, and the second finds that. */
    for (unsigned i = 0; i < 2; i++) {
        life_block_free(blocks[i]);
    }
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void *(*first)(void *), *(*second)(void *);
    } modes[] = {
        {"modules", walk_modules, open_and_close},
        {"streams", allocate_under_a_streams_lock, flush_all},
        {"threads", start_and_join, ask_for_figures},
    };
    const unsigned forks = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    LIFE_CHECK(forks > 0);
    life_begin();
    LIFE_CHECK((stream = fopen("/dev/null", "w")) != NULL);
    LIFE_CHECK(pthread_key_create(&key, free_at_the_end) == 0);
    pthread_t thread;
    for (unsigned i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(argv[1], modes[i].name) == 0) {
            LIFE_CHECK(pthread_create(&thread, NULL, modes[i].first, NULL) == 0);
            LIFE_CHECK(pthread_create(&thread, NULL, modes[i].second, NULL) == 0);
        }
    }
    struct child_place *place = child_place_new();
    for (unsigned i = 0; i < forks; i++) {
        child_at(place, CHILD_BORN);
        const pid_t child = fork();
        LIFE_CHECK(child >= 0);
        if (child == 0) {
            child_at(place, CHILD_ALLOCATES);
            load_use_every_size();
            use_large_blocks();
            if (strcmp(argv[1], "threads") == 0) {
                child_at(place, CHILD_RUNS_THREADS);
                start_and_join_one();
            }
            _exit(0);
        }
        child_expect_ok(child, place, CHILD_SECONDS);
    }
    life_print("{\"forks\": %u, \"mode\": \"%s\"}", forks, argv[1]);
    _exit(0);
}
