/* SPDX-License-Identifier: MIT */
/* The process's one initialisation: options, page map, the key of the thread destructor.
 *
 * Needs no libc function that can allocate, and is done by whichever call comes first, from any thread. */
#ifndef HAKMEM_PROCESS_BEGIN_H
#define HAKMEM_PROCESS_BEGIN_H

/* Returns when the process is initialised, or where the calling thread is about to do that. Cheap when it is. */
void hak_process_begin(void);

#endif
