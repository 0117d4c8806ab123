/* SPDX-License-Identifier: MIT */
/* How many threads the process has, hakmem's own among them. */
#ifndef TESTS_PRELOAD_PURGE_TASKS_H
#define TESTS_PRELOAD_PURGE_TASKS_H

#include <dirent.h>
#include <stddef.h>

static inline int threads(void) {
    int count = -2; /* . and .. */
    DIR *tasks = opendir("/proc/self/task");
    while (readdir(tasks) != NULL) count++;
    closedir(tasks);
    return count;
}

#endif
