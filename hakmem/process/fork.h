/* SPDX-License-Identifier: MIT */
/* fork in a program with several threads. */
#ifndef HAKMEM_PROCESS_FORK_H
#define HAKMEM_PROCESS_FORK_H

/* Registers the handlers, at the first call, which comes from the only thread. It may come before the C library's own
 * constructor. Where there is no memory for the handlers, a fork is as if there were none: right as long as no other thread is
 * inside the allocator. */
void hak_fork_init(void);

#endif
