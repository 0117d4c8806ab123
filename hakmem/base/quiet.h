/* SPDX-License-Identifier: MIT */
/* Writes to a descriptor without side effects on the program: no signal, and no cancellation point.
 *
 * The kernel sends SIGXFSZ to a thread that writes beyond RLIMIT_FSIZE, and SIGPIPE to one that writes to a pipe
 * without readers. Both terminate a program that does not expect the allocator to write. The C library's write is a
 * cancellation point, which malloc and free must not be, and a program may interpose it. Thread-safe and
 * async-signal-safe; allocates nothing, keeps errno. */
#ifndef HAKMEM_BASE_QUIET_H
#define HAKMEM_BASE_QUIET_H

#include "hakmem/base/compiler.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The thread's signal mask before, as the kernel stores it, and which of the two signals were pending already and must
 * stay so. */
struct quiet {
    uint64_t blocked;
    uint64_t waiting;
};

/* Between begin and end, a system call of this thread delivers neither signal to it. Pairs may be nested. */
void hak_quiet_begin(struct quiet *quiet);
void hak_quiet_end(const struct quiet *quiet);

/* Whether the thread blocks that signal. */
bool hak_quiet_blocks(int number);

/* Writes all bytes. Returns 0 or an errno value: EFBIG, EPIPE, ENOSPC, EAGAIN (a non-blocking descriptor), EBADF */
int hak_quiet_write(int descriptor, const void *bytes, size_t count);

#ifdef __cplusplus
}
#endif

#endif
