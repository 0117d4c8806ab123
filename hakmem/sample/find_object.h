/* SPDX-License-Identifier: MIT */
/* Whether the unwinder can find hakmem's own functions, from which each walk starts: it ends the process where it cannot.
 *
 * glibc's programs always can. A program that musl-gcc links has the table that it looks in only with -Wl,--eh-frame-hdr. */
#ifndef HAKMEM_SAMPLE_FIND_OBJECT_H
#define HAKMEM_SAMPLE_FIND_OBJECT_H

#include "hakmem/base/compiler.h"

#ifdef __GLIBC__
HAK_ALWAYS_INLINE bool find_object_works(void) { return true; }
#else
bool hak_find_object_works(void);
HAK_ALWAYS_INLINE bool find_object_works(void) { return hak_find_object_works(); }
#endif

#endif
