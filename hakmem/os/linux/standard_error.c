/* SPDX-License-Identifier: MIT */
/* Remembers the standard error of the process's start, for output at exit.
 *
 * Programs close it before they exit, as coreutils do, or close all descriptors that they do not know, as daemons do.
 * Then its number, and that of a duplicate, may be reused for a file of the program. So a descriptor is used only if it
 * still refers to the same file as standard error did. Called by constructors, while the process has one thread, and at
 * exit. */
#include <fcntl.h>

#include "hakmem/os/linux/linux.h"

/* Constant after init, all. */
static struct hak_linux_identity error_identity;
static int error_mode; /* how it was opened: for reading, for writing, for appending */
static bool error_is_noted;
static bool error_is_known; /* it was open */
static int error_copy = -1;

static int error_mode_of(int descriptor) {
    return (int)syscall(SYS_fcntl, descriptor, F_GETFL) & (O_ACCMODE | O_APPEND);
}

void hak_os_error_keep(bool with_copy) {
    const int saved_errno = errno;
    if (!error_is_noted) {
        error_is_noted = true;
        error_is_known = hak_linux_identity(STDERR_FILENO, &error_identity);
        error_mode = error_mode_of(STDERR_FILENO);
    }
    if (error_is_known && with_copy && error_copy < 0) {
        error_copy = hak_linux_descriptor_high(STDERR_FILENO);
    }
    errno = saved_errno;
}

static bool error_is_same(int descriptor) {
    struct hak_linux_identity found;
    return hak_linux_identity(descriptor, &found) && hak_linux_identity_equal(&found, &error_identity) &&
           error_mode_of(descriptor) == error_mode;
}

int hak_os_error_kept(void) {
    const int saved_errno = errno;
    int kept = error_is_noted ? -1 : STDERR_FILENO;
    if (error_is_known && error_copy >= 0 && error_is_same(error_copy)) {
        kept = error_copy;
    } else if (error_is_known && error_is_same(STDERR_FILENO)) {
        kept = STDERR_FILENO;
    }
    errno = saved_errno;
    return kept;
}
