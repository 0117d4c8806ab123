/* SPDX-License-Identifier: MIT */
/* Who watches what a program does to its blocks, in debug builds: valgrind's memcheck, if its header of requests is installed, or
 * AddressSanitizer, if the program is built with it (asan.h). front/watched.c tells them of each block.
 *
 * In all other builds nothing is included, WATCHER_RUNS() is false, and no code that asks it is left. Builds with guard full do
 * without: they look at free blocks and behind live ones themselves, which a watcher would take for faults. */
#ifndef HAKMEM_BASE_WATCHER_H
#define HAKMEM_BASE_WATCHER_H

#include "hakmem/base/asan.h"
#include "hakmem/flags/debug.h"
#include "hakmem/flags/guard.h"

#define HAK_WATCHED (HAK_DEBUG && !HAK_GUARD_FULL)

#if HAK_WATCHED && __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define HAK_MEMCHECK 1
#else
#define HAK_MEMCHECK 0
#endif

#if HAK_MEMCHECK
#define MEMCHECK_RUNS() (RUNNING_ON_VALGRIND != 0)
#else
#define MEMCHECK_RUNS() false
#endif

/* Whether somebody watches; the same for all of the process's life. */
#if HAK_WATCHED
#define WATCHER_RUNS() (MEMCHECK_RUNS() || ASAN_WORKS())
#else
#define WATCHER_RUNS() false
#endif

#endif
