/* SPDX-License-Identifier: MIT */
/* Assertions, three levels.
 *
 * HAK_CHECK is always on: what it guards is worth a branch in every build. HAK_ASSERT (constant time) and
 * HAK_ASSERT_SLOW (time in proportion to what it looks at) are on where HAK_DEBUG is 1; where they are off
 * the condition still compiles, so that it cannot rot, but is never evaluated: it must have no side effects.
 * Any layer and any thread may use them, with or without locks held: a failure takes no lock and allocates
 * nothing, it writes one line with file, line and condition to standard error and aborts. */
#ifndef HAKMEM_BASE_ASSERT_H
#define HAKMEM_BASE_ASSERT_H

#include "hakmem/base/compiler.h"
#include "hakmem/flags/debug.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One argument, put together by the preprocessor, keeps the call small at the many places that have it. */
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
