/* Time, faults and resident memory of this process, from the kernel. Called by worker.c on the main thread. */
#include "bench/measure.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* /proc/self/status has some 1.5 KB; what stands in it from VmHWM on fits with room to spare. */
#define STATUS_BYTES 8192

uint64_t measure_clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int measure_faults_get(struct measure_faults *faults) {
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) {
        return errno;
    }
    faults->minor = (uint64_t)usage.ru_minflt;
    faults->major = (uint64_t)usage.ru_majflt;
    return 0;
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

/* Not ru_maxrss: that keeps, over exec, the peak of the program that started this one. */
int measure_memory_get(struct measure_memory *memory) {
    static char status[STATUS_BYTES];
    int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return errno;
    }
    ssize_t length = read(file, status, sizeof status - 1);
    int error = errno;
    close(file);
    if (length < 0) {
        return error;
    }
    status[length] = '\0';
    bool found = status_bytes(status, "\nVmHWM:", &memory->peak_bytes) &&
                 status_bytes(status, "\nVmRSS:", &memory->resident_bytes);
    return found ? 0 : ENODATA;
}
