/* SPDX-License-Identifier: MIT */
/* The fork handlers: they make the allocator usable in the child, also where other threads were inside it. */
#ifndef HAKMEM_PROCESS_FORK_H
#define HAKMEM_PROCESS_FORK_H

/* Registers the handlers; later calls do nothing. Called while the process has one thread, and possibly before the C library's
 * own constructor. If there is no memory for the handlers, fork goes on without them: the child is then usable only if no
 * other thread was inside the allocator. */
void hak_fork_init(void);

/* Runs a function in a copy of the process, which has the calling thread alone and ends with it; waits for that. No handlers of
 * the program are called, and the program hears nothing of the copy's end. Where there can be none, `fail` is called instead, with all locks held: EAGAIN, ENOMEM */
void hak_fork_copy(void (*run)(void *argument), void (*fail)(void *argument, int error), void *argument);

#endif
