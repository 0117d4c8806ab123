/* SPDX-License-Identifier: MIT */
/* How the functions of this folder get libc's names. */
#ifndef HAKMEM_PRELOAD_PRELOAD_H
#define HAKMEM_PRELOAD_PRELOAD_H

#include "hakmem/base/compiler.h"

/* Seen from outside; everything else of the library is hidden. */
#define PRELOAD_API __attribute__((visibility("default")))

/* gcc warns where an alias has fewer attributes than its function; clang does not, and cannot copy them. */
#if __has_attribute(copy)
#define PRELOAD_COPY_ATTRIBUTES(function) , copy(function)
#else
#define PRELOAD_COPY_ATTRIBUTES(function)
#endif

/* One more name for a function of the same file. */
#define PRELOAD_ALIAS(name, function) \
    extern __typeof__(function)(name) \
        __attribute__((visibility("default"), alias(#function) PRELOAD_COPY_ATTRIBUTES(function)))

/* The same for a name that only glibc has. */
#ifdef __GLIBC__
#define PRELOAD_ALIAS_GLIBC(name, function) PRELOAD_ALIAS(name, function)
#else
#define PRELOAD_ALIAS_GLIBC(name, function) HAK_STATIC_ASSERT(true, "not here")
#endif

#endif
