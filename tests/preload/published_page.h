/* SPDX-License-Identifier: MIT */
/* Whether the process has published its statistics by now: for programs that wait for it. */
#ifndef TESTS_PRELOAD_PUBLISHED_PAGE_H
#define TESTS_PRELOAD_PUBLISHED_PAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The page as the process's mappings show it; see hakmem/observe/page.h. */
#define PUBLISHED_PAGE "/memfd:hakmem "
#define PUBLISHED_SEQUENCE_AT 16 /* 0: nothing was written yet */

static bool published_page_is_written(void) {
    char line[512];
    bool found = false;
    FILE *maps = fopen("/proc/thread-self/maps", "r"); /* self is empty once main has ended */
    while (maps != NULL && !found && fgets(line, sizeof line, maps) != NULL) {
        if (strstr(line, PUBLISHED_PAGE) == NULL) continue;
        const char *page = (const char *)(uintptr_t)strtoull(line, NULL, 16);
        /* Acquire: pairs with the release stores of the page's writer. */
        found = __atomic_load_n((const uint64_t *)(page + PUBLISHED_SEQUENCE_AT), __ATOMIC_ACQUIRE) >= 2;
    }
    if (maps != NULL) fclose(maps);
    return found;
}

static void published_page_wait(void) {
    const struct timespec pause = {0, 10000000};
    while (!published_page_is_written()) {
        free(malloc(1000000)); /* the program's own call, for which the thread that publishes may be started */
        nanosleep(&pause, NULL);
    }
}

#endif
