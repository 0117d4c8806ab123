/* SPDX-License-Identifier: MIT */
/* Assertions, three levels.
 *
 * HAK_CHECK is always on, for conditions that are worth a branch in every build. HAK_ASSERT (constant time) and
 * HAK_ASSERT_SLOW (time proportional to the data checked) are on if HAK_DEBUG is 1. When they are off, the condition
 * still compiles, so that it stays valid, but is never evaluated; so a condition has no side effects.
 *
 * Any layer and any thread may use them, with or without locks held. A failure takes no lock and allocates nothing: it
 * writes one line with file, line and condition to standard error and aborts. */
#ifndef HAKMEM_BASE_ASSERT_H
#define HAKMEM_BASE_ASSERT_H

#include "hakmem/base/compiler.h"
#include "hakmem/flags/debug.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Writes the line and aborts. Takes one string, assembled by the preprocessor, to keep the code small at the many
 * callers. */
HAK_COLD __attribute__((noreturn)) void hak_assert_failed(const char *where_and_what);

#ifdef __cplusplus
}
#endif

#define HAK_STRINGIFY_(token) #token
#define HAK_STRINGIFY(macro) HAK_STRINGIFY_(macro)

#define HAK_CHECK_(enabled, condition, text) \
    ((!(enabled) || HAK_LIKELY(condition))   \
         ? (void)0                           \
         : hak_assert_failed(__FILE__ ":" HAK_STRINGIFY(__LINE__) ": does not hold: " text))

#define HAK_CHECK(condition) HAK_CHECK_(1, condition, #condition)
#define HAK_ASSERT(condition) HAK_CHECK_(HAK_DEBUG, condition, #condition)
#define HAK_ASSERT_SLOW(condition) HAK_CHECK_(HAK_DEBUG, condition, #condition)

#endif
