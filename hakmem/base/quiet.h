/* SPDX-License-Identifier: MIT */
/* Writing to a descriptor without the program's notice: no signal reaches it, and no thread of it ends there.
 *
 * The kernel sends SIGXFSZ to who writes beyond RLIMIT_FSIZE, and SIGPIPE to who writes where nobody reads; both end a
 * program that knows nothing of what the allocator writes. The C library's write is a cancellation point, which malloc and
 * free are not, and a program may have replaced it. Any thread, also in a signal handler; nothing is allocated, errno is
 * kept. */
#ifndef HAKMEM_BASE_QUIET_H
#define HAKMEM_BASE_QUIET_H

#include "hakmem/base/compiler.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The thread's blocked signals before, as the kernel has them, and which of the two it must keep: they waited already. */
struct quiet {
    uint64_t blocked;
    uint64_t waiting;
};

/* Between the two, calls of this thread send it neither signal. Pairs may be nested. */
void hak_quiet_begin(struct quiet *quiet);
void hak_quiet_end(const struct quiet *quiet);

/* Writes all of it. Result: 0 or an errno value: EFBIG, EPIPE, ENOSPC, EAGAIN (a descriptor that does not wait), EBADF */
int hak_quiet_write(int descriptor, const void *bytes, size_t count);

#ifdef __cplusplus
}
#endif

#endif
