/* Purging: what was free for a decay time goes back to the system.
 *
 * Slow paths poll. Where more than PURGE_THREAD_BYTES wait, a thread does it, so that memory also returns
 * when the program allocates no more; below that the next slow path of any thread does it. */
#ifndef HAKMEM_SLAB_PURGE_H
#define HAKMEM_SLAB_PURGE_H

#include "hakmem/base/compiler.h"

/* What a program that stops allocating may keep unpurged, bytes: less than a thread and its stack are worth. */
#define PURGE_THREAD_BYTES ((size_t)1 << 20)

/* Purges what has decayed. pre: the caller holds no lock and is in no exchange, since starting a thread
 * may allocate */
void purge_poll(void);

/* Purges everything that is free, decayed or not. Result: bytes. */
size_t purge_all(void);

/* Bytes in whole chunks and mappings that still decay. */
size_t purge_waiting_bytes(void);

#endif
