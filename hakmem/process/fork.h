/* SPDX-License-Identifier: MIT */
/* The fork handlers: they make the allocator usable in the child, also where other threads were inside it. */
#ifndef HAKMEM_PROCESS_FORK_H
#define HAKMEM_PROCESS_FORK_H

#include <stdbool.h>

/* Registers the handlers; later calls do nothing. Called while the process has one thread, and possibly before the C library's
 * own constructor. If there is no memory for the handlers, fork goes on without them: the child is then usable only if no
 * other thread was inside the allocator. */
void hak_fork_init(void);

/* Whether the calling thread was interrupted inside the allocator: it holds a lock, or is in an exchange. */
bool hak_fork_would_interrupt(void);

/* Whether the calling thread was interrupted while it held a lock, for anything but a fork: a call that takes the same lock
 * waits for ever. Every lock of the allocator is among those that are looked at. */
bool hak_fork_would_wait(void);

/* In a child that no handler of fork saw: releases the locks that threads of ours hold which the child does not have, as far as these left
 * whole what they guard (own_thread.c). Before the child has a thread of its own that publishes; any thread, with no lock held. */
void hak_fork_release_left(void);

/* Runs a function in a copy of the process, which has the calling thread alone and ends with it; waits for that. No handlers of
 * the program are called, and the program hears nothing of the copy's end. Where there can be none, or it did not come to its
 * end, `fail` is called, in the process and with every lock held, as in the copy: EAGAIN, ENOMEM, ECANCELED */
void hak_fork_copy(void (*run)(void *argument), void (*fail)(void *argument, int error), void *argument);

#endif
