/* SPDX-License-Identifier: MIT */
/* Programs to look at from outside. Each prints a line when it is ready, and goes on until standard input ends.
 *
 *     observed quiet            1,000 live blocks of 48 bytes, then nothing
 *     observed load THREADS     so many threads replace blocks
 *     observed fork             a child replaces blocks; its number is the line
 *     observed exec PROGRAM     becomes PROGRAM when its page is there
 *     observed close            closes its descriptors above the first three when its page is there, and at each line that comes
 *     observed leave            the main thread ends; another ends when the page is there, and with it the process */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SLOTS 256
#define THREADS_MAX 16

static int ended; /* atomic */

static void say(const char *text) {
    printf("%s\n", text);
    fflush(stdout);
}

static void wait_for_end(void) {
    char byte;
    while (read(0, &byte, 1) > 0) {
    }
    __atomic_store_n(&ended, 1, __ATOMIC_RELAXED);
}

static void *replace_blocks(void *seed) {
    void *slots[SLOTS] = {NULL};
    unsigned random = 1 + (unsigned)(size_t)seed;
    while (__atomic_load_n(&ended, __ATOMIC_RELAXED) == 0) {
        random = random * 1664525u + 1013904223u;
        void **slot = &slots[random >> 16 & (SLOTS - 1)];
        free(*slot);
        *slot = malloc(random >> 24 == 0 ? 50000 : 16 + (random >> 20 & 1023));
    }
    for (unsigned i = 0; i < SLOTS; i++) free(slots[i]);
    return NULL;
}

static int has_page(void) {
    char line[512];
    int found = 0;
    FILE *maps = fopen("/proc/thread-self/maps", "r");
    while (maps != NULL && !found && fgets(line, sizeof line, maps) != NULL)
        found = strstr(line, "/memfd:hakmem ") != NULL;
    if (maps != NULL) fclose(maps);
    return found;
}

/* Allocates, so that the page comes, until it is there. */
static void *wait_for_page(void *unused) {
    const struct timespec pause = {0, 1000000};
    while (!has_page()) {
        void *blocks[200];
        for (unsigned i = 0; i < 200; i++) blocks[i] = malloc(100);
        for (unsigned i = 0; i < 200; i++) free(blocks[i]);
        nanosleep(&pause, NULL);
    }
    return unused;
}

static int load(unsigned count) {
    pthread_t threads[THREADS_MAX];
    for (unsigned i = 0; i < count; i++) pthread_create(&threads[i], NULL, replace_blocks, (void *)(size_t)i);
    say("ready");
    wait_for_end();
    for (unsigned i = 0; i < count; i++) pthread_join(threads[i], NULL);
    return 0;
}

static int quiet(void) {
    static void *blocks[1000];
    for (unsigned i = 0; i < 1000; i++) blocks[i] = malloc(48);
    say("ready");
    wait_for_end();
    for (unsigned i = 0; i < 1000; i++) free(blocks[i]);
    return 0;
}

static int with_child(void) {
    wait_for_page(NULL);
    const pid_t child = fork();
    if (child == 0) {
        alarm(120); /* should the test be killed */
        replace_blocks(NULL);
        _exit(0);
    }
    char text[32];
    snprintf(text, sizeof text, "%d", (int)child);
    say(text);
    wait_for_end();
    return 0;
}

static int close_all(void) {
    wait_for_page(NULL);
    closefrom(3);
    say("ready");
    char line[64];
    while (fgets(line, sizeof line, stdin) != NULL) {
        closefrom(3);
        say("closed");
    }
    return 0;
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "quiet") == 0) return quiet();
    if (strcmp(what, "load") == 0 && argc == 3) return load((unsigned)atoi(argv[2]) % (THREADS_MAX + 1));
    if (strcmp(what, "fork") == 0) return with_child();
    if (strcmp(what, "exec") == 0 && argc == 3) {
        wait_for_page(NULL);
        say("ready");
        unsetenv("LD_PRELOAD");
        execl(argv[2], argv[2], (char *)NULL);
        return 1;
    }
    if (strcmp(what, "close") == 0) return close_all();
    if (strcmp(what, "leave") == 0) {
        pthread_t thread;
        free(malloc(10));
        pthread_create(&thread, NULL, wait_for_page, NULL);
        pthread_detach(thread);
        pthread_exit(NULL);
    }
    fprintf(stderr, "observed: which?\n");
    return 2;
}
