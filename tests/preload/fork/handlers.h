/* SPDX-License-Identifier: MIT */
/* A library whose constructor registers fork handlers, as those of OpenSSL and of many run times do. */
#ifndef TESTS_PRELOAD_FORK_HANDLERS_H
#define TESTS_PRELOAD_FORK_HANDLERS_H

/* From then on the handler that is called before a fork waits for another thread, which allocates, as it would for a lock of
 * the library that such a thread holds. Without, it allocates itself only. */
void handlers_start_thread(void);

#endif
