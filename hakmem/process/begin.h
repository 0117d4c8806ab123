/* SPDX-License-Identifier: MIT */
/* The one initialisation of the process: it reads the options, reserves the page map and the shadow, and makes the key of the
 * thread destructor.
 *
 * The constructor in init.c calls it. A call of the allocator that comes before that constructor, from a constructor of
 * another library for instance, initialises instead. So every slow path that may be the first one calls it as well. It calls no
 * function of the C library that can allocate. */
#ifndef HAKMEM_PROCESS_BEGIN_H
#define HAKMEM_PROCESS_BEGIN_H

/* Initialises the process, or waits until another thread has done so. Returns at once in the thread that is initialising: a
 * function of the C library that it calls may call the allocator. Any thread; one load once the process is initialised. */
void hak_process_begin(void);

#endif
