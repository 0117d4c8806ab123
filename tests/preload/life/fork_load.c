/* SPDX-License-Identifier: MIT */
/* fork out of a process whose threads are in the middle of allocating.
 *
 *     fork_load main FORKS      the main thread forks
 *     fork_load threads FORKS   two other threads fork at the same time
 *     fork_load handlers FORKS  the main thread forks, and the program's own fork handlers allocate and free
 *     fork_load once            what a child's program is: allocates, and ends
 *
 * Each child allocates, frees blocks of its parent, runs threads, forks again, and ends in one of three ways. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/preload/life/child.h"
#include "tests/preload/life/life.h"
#include "tests/preload/life/load.h"

#define FORKING_THREADS 2
#define GENERATIONS 2

/* A child takes some milliseconds; the rest is for a machine that does other things. */
#define GENERATION_SECONDS 120

static const char *program;

static void *use_every_size(void *unused) {
    load_use_every_size();
    return unused;
}

static void run_threads(void) {
    pthread_t threads[2];
    for (unsigned i = 0; i < 2; i++) {
        LIFE_CHECK(pthread_create(&threads[i], NULL, use_every_size, NULL) == 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        LIFE_CHECK(pthread_join(threads[i], NULL) == 0);
    }
}

static void end(struct child_place *place, unsigned number) {
    switch (number % 3) {
    case 0: child_at(place, CHILD_ENDS); exit(0);
    case 1:
        child_at(place, CHILD_EXECS);
        execl(program, program, "once", NULL);
        life_fail("%s cannot be started", program);
    default: child_at(place, CHILD_ENDS); _exit(0);
    }
}

static void fork_and_wait(struct child_place *place, unsigned number, unsigned generations);

static void live(struct child_place *place, unsigned number, unsigned generations) {
    child_at(place, CHILD_ALLOCATES);
    load_use_every_size();
    child_at(place, CHILD_FREES_ITS_PARENTS_BLOCKS);
    load_take_over();
    child_at(place, CHILD_RUNS_THREADS);
    run_threads();
    if (generations > 1) {
        child_at(place, CHILD_FORKS);
        fork_and_wait(place, number + 1, generations - 1);
        child_at(place, CHILD_ALLOCATES);
        load_use_every_size();
    }
    end(place, number);
}

static void fork_and_wait(struct child_place *place, unsigned number, unsigned generations) {
    child_at(place, CHILD_BORN);
    const pid_t child = fork();
    LIFE_CHECK(child >= 0);
    if (child == 0) {
        live(place, number, generations);
    }
    child_expect_ok(child, place, (int)generations * GENERATION_SECONDS);
}

/* ---- Forking threads ---- */

static unsigned forks;

static void *fork_all(void *unused) {
    struct child_place *place = child_place_new();
    for (unsigned i = 0; i < forks; i++) {
        fork_and_wait(place, i, GENERATIONS);
    }
    LIFE_CHECK(munmap(place, 4 * KIB) == 0);
    return unused;
}

static void fork_all_in_threads(void) {
    pthread_t threads[FORKING_THREADS];
    for (unsigned i = 0; i < FORKING_THREADS; i++) {
        LIFE_CHECK(pthread_create(&threads[i], NULL, fork_all, NULL) == 0);
    }
    for (unsigned i = 0; i < FORKING_THREADS; i++) {
        LIFE_CHECK(pthread_join(threads[i], NULL) == 0);
    }
}

/* ---- Handlers of the program's own ---- */

static unsigned prepared, in_parent, in_child; /* the forking thread */
static void *from_prepare;

static void prepare(void) {
    prepared++;
    load_use_every_size();
    from_prepare = life_block_new(5000);
}

static void after(unsigned *count) {
    (*count)++;
    life_block_free(from_prepare);
    load_use_every_size();
}

static void parent(void) { after(&in_parent); }

static void child(void) { after(&in_child); }

int main(int argc, char **argv) {
    program = argv[0];
    if (argc == 2 && strcmp(argv[1], "once") == 0) {
        load_use_every_size();
        return 0;
    }
    LIFE_CHECK(argc == 3 && (forks = (unsigned)strtoul(argv[2], NULL, 10)) > 0);
    life_begin();
    const bool handlers = strcmp(argv[1], "handlers") == 0;
    if (handlers) {
        LIFE_CHECK(pthread_atfork(prepare, parent, child) == 0);
    }
    load_start();
    if (strcmp(argv[1], "threads") == 0) {
        fork_all_in_threads();
    } else {
        fork_all(NULL);
    }
    load_stop();
    LIFE_CHECK(!handlers || (prepared == forks && in_parent == forks && in_child == 0));
    load_use_every_size();
    life_print("{\"forks\": %u, \"mode\": \"%s\"}", forks, argv[1]);
    return 0;
}
