/* SPDX-License-Identifier: MIT */
/* A seam of the allocator's own threads: what happens just before one says that it ends. */
#ifndef TESTS_INTEGRATION_LEAVING_H
#define TESTS_INTEGRATION_LEAVING_H

/* Atomic; NULL: nothing. Called on that thread. */
extern void (*before_leaving)(void);

#endif
