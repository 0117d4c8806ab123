/* SPDX-License-Identifier: MIT */
/* What the options of the environment change, as a program sees it.
 *
 *     options run       allocates, and ends
 *     options decay     frees 8 MiB and watches until they went back, for SECONDS at most
 *     options keep      the same without watching
 *     options misuse    frees a block that malloc did not give out, and goes on where it may
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/preload/life/life.h"

#define BYTES (8 * MIB)
#define SECONDS 300

static bool watches_on(const struct timespec *start) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec - start->tv_sec < SECONDS;
}

static void watch_decay(bool for_long) {
    const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    struct timespec start;
    void *block = malloc(BYTES);
    LIFE_CHECK(block != NULL);
    memset(block, 1, BYTES);
    free(block);
    const uint64_t at_once = life_stats().decaying_bytes;
    clock_gettime(CLOCK_MONOTONIC, &start);
    while (for_long && life_stats().decaying_bytes >= BYTES && watches_on(&start)) {
        nanosleep(&pause, NULL);
    }
    life_print("{\"at_once\": %lu, \"later\": %lu}", at_once, life_stats().decaying_bytes);
}

static void misuse(void) {
    static char not_a_block[64];
    free(not_a_block + 16);
    life_print("{\"went\": \"on\"}");
}

int main(int argc, char **argv) {
    LIFE_CHECK(argc == 2);
    life_begin();
    if (strcmp(argv[1], "decay") == 0) {
        watch_decay(true);
    } else if (strcmp(argv[1], "keep") == 0) {
        watch_decay(false);
    } else if (strcmp(argv[1], "misuse") == 0) {
        misuse();
    } else {
        LIFE_CHECK(strcmp(argv[1], "run") == 0);
        life_print("{\"ran\": \"on\"}");
    }
    return 0;
}
