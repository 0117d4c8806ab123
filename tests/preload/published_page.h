/* SPDX-License-Identifier: MIT */
/* Whether the process publishes its statistics by now: for programs that wait for it. */
#ifndef TESTS_PRELOAD_PUBLISHED_PAGE_H
#define TESTS_PRELOAD_PUBLISHED_PAGE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The page as the process's mappings show it; see hakmem/observe/page.h. */
#define PUBLISHED_PAGE "/memfd:hakmem "

static bool published_page_is_there(void) {
    char line[512];
    bool found = false;
    FILE *maps = fopen("/proc/thread-self/maps", "r"); /* self is empty once main has ended */
    while (maps != NULL && !found && fgets(line, sizeof line, maps) != NULL)
        found = strstr(line, PUBLISHED_PAGE) != NULL;
    if (maps != NULL) fclose(maps);
    return found;
}

static void published_page_wait(void) {
    const struct timespec pause = {0, 10000000};
    while (!published_page_is_there()) {
        free(malloc(1000000)); /* the program's own call, for which the thread that publishes may be started */
        nanosleep(&pause, NULL);
    }
}

#endif
