/* SPDX-License-Identifier: MIT */
/* Preloaded under callgrind: a child of fork counts from nothing. Else it would count once more what its parent had done. */
#include <pthread.h>
#include <valgrind/callgrind.h>

static void begin_anew(void) { CALLGRIND_ZERO_STATS; }

__attribute__((constructor)) static void install(void) { pthread_atfork(NULL, NULL, begin_anew); }
