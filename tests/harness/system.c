/* SPDX-License-Identifier: MIT */
/* The process as the system sees it; the contract stands in system.h. */
#include "tests/harness/system.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

size_t system_resident_bytes(void) {
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL) return 0;
    unsigned long size = 0, resident = 0;
    int got = fscanf(file, "%lu %lu", &size, &resident);
    fclose(file);
    return got == 2 ? resident * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

unsigned system_mappings(void) {
    char part[4096];
    unsigned lines = 0;
    const int file = open("/proc/self/maps", O_RDONLY);
    ssize_t count;
    while (file >= 0 && (count = read(file, part, sizeof part)) > 0) {
        for (ssize_t i = 0; i < count; i++) lines += part[i] == '\n';
    }
    close(file);
    return lines;
}

uint64_t system_page_faults(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_minflt + (uint64_t)usage.ru_majflt;
}

bool system_wait_until(bool (*holds)(void *argument), void *argument, unsigned seconds) {
    struct timespec now, end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += seconds;
    for (;;) {
        if (holds(argument)) return true;
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec > end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec >= end.tv_nsec)) return false;
        struct timespec pause = {0, 5 * 1000 * 1000};
        nanosleep(&pause, NULL);
    }
}
