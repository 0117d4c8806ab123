/* SPDX-License-Identifier: MIT */
/* valgrind's header of requests to its tool memcheck, in debug builds where it is installed. front/watched.c makes the requests.
 *
 * In all other builds nothing is included, MEMCHECK_RUNS() is false, and no code that asks it is left. Builds with guard full do
 * without: they look at free blocks and behind live ones themselves, which memcheck would take for faults. */
#ifndef HAKMEM_BASE_MEMCHECK_H
#define HAKMEM_BASE_MEMCHECK_H

#include "hakmem/flags/debug.h"
#include "hakmem/flags/guard.h"

#if HAK_DEBUG && !HAK_GUARD_FULL && __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define HAK_MEMCHECK 1
#else
#define HAK_MEMCHECK 0
#endif

/* Whether the process runs under valgrind; the same for all of its life. */
#if HAK_MEMCHECK
#define MEMCHECK_RUNS() (RUNNING_ON_VALGRIND != 0)
#else
#define MEMCHECK_RUNS() false
#endif

#endif
