/* SPDX-License-Identifier: MIT */
/* What /proc/self/status says, in KiB; 0 where it does not. Allocates nothing. */
#ifndef TESTS_PRELOAD_LIMITS_STATUS_H
#define TESTS_PRELOAD_LIMITS_STATUS_H

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline long status_kib(const char *field) {
    static char text[8192];
    const int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    const ssize_t length = file < 0 ? 0 : read(file, text, sizeof text - 1);
    close(file);
    text[length < 0 ? 0 : length] = '\0';
    const char *found = strstr(text, field);
    return found == NULL ? 0 : strtol(found + strlen(field) + 1, NULL, 10);
}

#endif
