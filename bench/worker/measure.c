/* SPDX-License-Identifier: MIT */
/* Time, faults and resident memory of this process, from the kernel. Any thread. */
#include "bench/worker/measure.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* /proc/self/status has some 1.5 KB, smaps_rollup less; what is looked for fits with room to spare. */
#define STATUS_BYTES 8192

/* The kernel gives at most a page of /proc/self/maps at a time. */
#define MAPS_BYTES 4096

static uint64_t clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t measure_clock_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

static uint64_t microseconds(struct timeval time) { return (uint64_t)time.tv_sec * 1000000u + (uint64_t)time.tv_usec; }

static int usage_get(struct measure_usage *usage) {
    struct rusage kernel;
    if (getrusage(RUSAGE_SELF, &kernel) != 0) {
        return errno;
    }
    *usage = (struct measure_usage){
        .minor_faults = (uint64_t)kernel.ru_minflt,
        .major_faults = (uint64_t)kernel.ru_majflt,
        .voluntary_switches = (uint64_t)kernel.ru_nvcsw,
        .involuntary_switches = (uint64_t)kernel.ru_nivcsw,
        .user_us = microseconds(kernel.ru_utime),
        .system_us = microseconds(kernel.ru_stime),
    };
    return 0;
}

int measure_start(struct measure_span *span) {
    int error = usage_get(&span->usage);
    span->cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    span->ns = measure_clock_ns();
    return error;
}

int measure_stop(struct measure_span *span) {
    const uint64_t now = measure_clock_ns(), cpu_now = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    const struct measure_usage before = span->usage;
    int error = usage_get(&span->usage);
    span->ns = now - span->ns;
    span->cpu_ns = cpu_now - span->cpu_ns;
    span->usage.minor_faults -= before.minor_faults;
    span->usage.major_faults -= before.major_faults;
    span->usage.voluntary_switches -= before.voluntary_switches;
    span->usage.involuntary_switches -= before.involuntary_switches;
    span->usage.user_us -= before.user_us;
    span->usage.system_us -= before.system_us;
    return error;
}

/* The figure of the line "NAME:   123 kB"; false where there is no such line. */
static bool status_bytes(const char *status, const char *name, uint64_t *bytes) {
    const char *line = strstr(status, name);
    if (line == NULL) {
        return false;
    }
    *bytes = strtoull(line + strlen(name), NULL, 10) * 1024;
    return true;
}

/* The first STATUS_BYTES of the file `path`, ended by a zero. Returns 0 or an errno value. */
static int read_status(const char *path, char status[STATUS_BYTES]) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return errno;
    }
    ssize_t length = read(file, status, STATUS_BYTES - 1);
    int error = errno;
    close(file);
    if (length < 0) {
        return error;
    }
    status[length] = '\0';
    return 0;
}

/* Not ru_maxrss: that keeps, over exec, the peak of the program that started this one. */
int measure_memory_get(struct measure_memory *memory) {
    char status[STATUS_BYTES];
    int error = read_status("/proc/self/status", status);
    if (error != 0) {
        return error;
    }
    bool found = status_bytes(status, "\nVmHWM:", &memory->peak_bytes) &&
                 status_bytes(status, "\nVmRSS:", &memory->resident_bytes);
    return found ? 0 : ENODATA;
}

int measure_reset_peak(void) {
    int file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (file < 0) {
        return errno;
    }
    int error = write(file, "5", 1) == 1 ? 0 : errno; /* 5: the peak, says proc(5) */
    close(file);
    return error;
}

int measure_resident_get(uint64_t *bytes) {
    char status[STATUS_BYTES];
    int error = read_status("/proc/self/smaps_rollup", status);
    if (error != 0) {
        return error;
    }
    return status_bytes(status, "\nRss:", bytes) ? 0 : ENODATA;
}

int measure_mappings_get(unsigned *mappings) {
    char lines[MAPS_BYTES];
    int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return errno;
    }
    ssize_t length;
    *mappings = 0;
    while ((length = read(file, lines, sizeof lines)) > 0) {
        for (ssize_t i = 0; i < length; i++) {
            *mappings += lines[i] == '\n';
        }
    }
    int error = length < 0 ? errno : 0;
    close(file);
    return error;
}
