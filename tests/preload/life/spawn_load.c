/* SPDX-License-Identifier: MIT */
/* Programs started out of a process whose threads are in the middle of allocating, in every way but fork.
 *
 *     spawn_load ROUNDS
 *     spawn_load once      what is started: allocates, and ends
 *
 * The started programs inherit the environment, and with it the allocator. */
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/preload/life/child.h"
#include "tests/preload/life/life.h"
#include "tests/preload/life/load.h"

/* A child takes some milliseconds; the rest is for a machine that does other things. */
#define CHILD_SECONDS 120

extern char **environ;

static char program[4096];
static struct child_place *place;

static void wait_for(pid_t child) {
    child_at(place, CHILD_EXECS);
    child_expect_ok(child, place, CHILD_SECONDS);
}

static void by_vfork(void) {
    const pid_t child = vfork();
    LIFE_CHECK(child >= 0);
    if (child == 0) {
        execl(program, program, "once", (char *)NULL);
        _exit(127);
    }
    wait_for(child);
}

/* The child runs on its parent's memory, allocator included, until it ends. */
static void by_vfork_that_allocates(void) {
    const pid_t child = vfork();
    LIFE_CHECK(child >= 0);
    if (child == 0) {
        load_use_every_size();
        _exit(0);
    }
    wait_for(child);
}

static void by_posix_spawn(void) {
    pid_t child;
    char *arguments[] = {program, "once", NULL};
    LIFE_CHECK(posix_spawn(&child, program, NULL, NULL, arguments, environ) == 0);
    wait_for(child);
}

static void by_system(void) {
    char command[sizeof program + 16];
    snprintf(command, sizeof command, "'%s' once", program);
    LIFE_CHECK(system(command) == 0);
}

static void by_popen(void) {
    char command[sizeof program + 16];
    snprintf(command, sizeof command, "'%s' once && echo done", program);
    FILE *output = popen(command, "re");
    char *line = NULL;
    size_t size = 0;
    LIFE_CHECK(output != NULL && getline(&line, &size, output) > 0 && strcmp(line, "done\n") == 0);
    free(line);
    LIFE_CHECK(pclose(output) == 0);
}

/* exec in a thread ends all others in the middle of what they do. */
static void *exec_in_thread(void *unused) {
    execl(program, program, "once", (char *)NULL);
    life_fail("%s cannot be started", program);
    return unused;
}

static void by_exec_in_thread(void) {
    const pid_t child = fork();
    LIFE_CHECK(child >= 0);
    if (child == 0) {
        load_start();
        pthread_t thread;
        LIFE_CHECK(pthread_create(&thread, NULL, exec_in_thread, NULL) == 0);
        pthread_join(thread, NULL);
        life_fail("the thread ended");
    }
    wait_for(child);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "once") == 0) {
        load_use_every_size();
        return 0;
    }
    const unsigned rounds = argc == 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    LIFE_CHECK(rounds > 0);
    life_begin();
    LIFE_CHECK(readlink("/proc/self/exe", program, sizeof program - 1) > 0);
    place = child_place_new();
    load_start();
    for (unsigned i = 0; i < rounds; i++) {
        by_vfork();
        by_vfork_that_allocates();
        by_posix_spawn();
        by_system();
        by_popen();
        by_exec_in_thread();
    }
    load_stop();
    load_use_every_size();
    life_print("{\"rounds\": %u}", rounds);
    return 0;
}
