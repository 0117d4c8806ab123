/* SPDX-License-Identifier: MIT */
/* The flag `debug` as a value, apart from the switches: what depends on nothing else is compiled once for all of
 * them. */
#ifndef HAKMEM_FLAGS_DEBUG_H
#define HAKMEM_FLAGS_DEBUG_H

#if !defined(HAK_DEBUG) || HAK_DEBUG & ~1
#error "depend on //hakmem/flags:assertions: it defines HAK_DEBUG as 0 or 1"
#endif

#endif
