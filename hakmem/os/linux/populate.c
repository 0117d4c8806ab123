/* SPDX-License-Identifier: MIT */
/* Makes pages resident before they are written to.
 *
 * Called by the experiment `learn=elo` alone, by the thread that owns the range; thread-safe. The kernel takes from the first page to the
 * last what a write to each would take, but with one entry into the kernel. */
#include "hakmem/os/linux/linux.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

int hak_os_populate(void *start, size_t size) { return linux_madvise(start, size, MADV_POPULATE_WRITE); }
