/* SPDX-License-Identifier: MIT */
/* Six workloads whose exchanges want different things, for //bench/learning.
 *
 *     workloads NAME UNITS
 *
 * runs so many units of one of them, and writes the statistics as JSON, a line each, when half of the units and when all are
 * done. Whatever the machine does, the calls are the same: two threads take turns. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hakmem/hakmem.h"

#define USAGE 2

/* Of a class whose magazines begin with little room and have no stash, and of one with all its room and a stash for a burst. */
#define SIZE 512
#define STASHED_SIZE 64
#define BURST 300u
#define PAIRS 1000u
#define GROWN 250u
#define HANDED 500u
#define SIZES 40u
#define OF_EACH 20u
#define UNITS_OF_A_KIND 400u /* of the workload that changes: up to 800,000 operations */

static void *blocks[HANDED]; /* the most that one of them holds at once, but for growth */

static inline __attribute__((always_inline)) void *taken(size_t size) {
    void *p = hak_alloc(size);
    if (p == NULL) {
        fputs("workloads: no memory\n", stderr);
        exit(EXIT_FAILURE);
    }
    return p;
}

/* A burst of allocations, then a burst of frees. */
static void burst(unsigned unit) {
    (void)unit;
    for (unsigned i = 0; i < BURST; i++) blocks[i] = taken(STASHED_SIZE);
    for (unsigned i = 0; i < BURST; i++) hak_free(blocks[i]);
}

/* Each block is freed before the next one is allocated. */
static void pair(unsigned unit) {
    (void)unit;
    for (unsigned i = 0; i < PAIRS; i++) hak_free(taken(SIZE));
}

/* Nothing is freed. */
static void growth(unsigned unit) {
    (void)unit;
    for (unsigned i = 0; i < GROWN; i++) (void)taken(SIZE);
}

/* Forty sizes from 64 bytes to 16 KiB in turn, some of each. */
static void forty(unsigned unit) {
    (void)unit;
    for (unsigned size = 0; size < SIZES; size++) {
        const size_t bytes = size < 16 ? 64 + 48 * (size_t)size : 1024 + 640 * (size_t)(size - 16);
        for (unsigned i = 0; i < OF_EACH; i++) blocks[i] = taken(bytes);
        for (unsigned i = 0; i < OF_EACH; i++) hak_free(blocks[i]);
    }
}

/* Another kind every so many units. */
static void changing(unsigned unit) {
    static void (*const kinds[])(unsigned unit) = {burst, pair, forty};
    kinds[unit / UNITS_OF_A_KIND % 3](unit);
}

/* ---- One thread allocates, another frees, in turns -------------------------------------------------- */

static pthread_mutex_t turn_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_changed = PTHREAD_COND_INITIALIZER;
static enum { TURN_PRODUCER, TURN_CONSUMER, TURN_OVER } turn = TURN_PRODUCER; /* turn_mutex */

static void *consume(void *argument) {
    (void)argument;
    pthread_mutex_lock(&turn_mutex);
    for (;;) {
        while (turn == TURN_PRODUCER) pthread_cond_wait(&turn_changed, &turn_mutex);
        if (turn == TURN_OVER) break;
        for (unsigned i = 0; i < HANDED; i++) hak_free(blocks[i]);
        turn = TURN_PRODUCER;
        pthread_cond_signal(&turn_changed);
    }
    pthread_mutex_unlock(&turn_mutex);
    return NULL;
}

static void handover(unsigned unit) {
    static pthread_t consumer;
    if (unit == 0 && pthread_create(&consumer, NULL, consume, NULL) != 0) {
        fputs("workloads: no second thread\n", stderr);
        exit(EXIT_FAILURE);
    }
    pthread_mutex_lock(&turn_mutex);
    for (unsigned i = 0; i < HANDED; i++) blocks[i] = taken(SIZE);
    turn = TURN_CONSUMER;
    pthread_cond_signal(&turn_changed);
    while (turn != TURN_PRODUCER) pthread_cond_wait(&turn_changed, &turn_mutex);
    pthread_mutex_unlock(&turn_mutex);
}

/* ---- The command line -------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*unit)(unsigned unit);
} workloads[] = {
    {"burst", burst},   {"pair", pair},   {"handover", handover},
    {"growth", growth}, {"forty", forty}, {"changing", changing},
};

static int refuse(const char *what) {
    fprintf(stderr, "workloads: %s; usage: workloads burst|pair|handover|growth|forty|changing UNITS, 2 to 1000000\n",
            what);
    return USAGE;
}

int main(int argc, char **argv) {
    if (argc != 3) return refuse("two arguments are wanted");
    size_t chosen = 0;
    while (chosen < sizeof workloads / sizeof *workloads && strcmp(workloads[chosen].name, argv[1]) != 0) chosen++;
    if (chosen == sizeof workloads / sizeof *workloads) return refuse("no such workload");
    char *end;
    const unsigned long units = strtoul(argv[2], &end, 10);
    if (*end != '\0' || units < 2 || units > 1000000) return refuse("no such number of units");
    for (unsigned unit = 0; unit < units; unit++) {
        workloads[chosen].unit(unit);
        if (unit + 1 == units / 2 || unit + 1 == units) {
            if (hak_stats_write(STDOUT_FILENO, HAK_STATS_JSON) != 0) return EXIT_FAILURE;
        }
    }
    return EXIT_SUCCESS;
}
