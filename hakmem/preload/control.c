/* SPDX-License-Identifier: MIT */
/* malloc_trim and mallopt: glibc's parameters, mapped to hakmem's options where it has an equivalent. */
#include <malloc.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/options.h"
#include "hakmem/hakmem.h"
#include "hakmem/preload/preload.h"
#include "hakmem/process/begin.h"

#ifdef __GLIBC__ /* no other C library has these functions */

/* 1 where memory went back to the system. `pad` is what glibc leaves at its heap's top, which hakmem does not have. */
PRELOAD_API int malloc_trim(size_t pad) {
    (void)pad;
    return hak_trim() != 0;
}

#define CONTROL_UNKNOWN INT64_MIN

/* The purge delay before the first call that changed it. Atomic. */
static int64_t control_purge_delay_ms = CONTROL_UNKNOWN;

/* glibc trims its heap's top when more than the threshold is free there. hakmem has no top, so only the extremes have a
 * meaning: 0 is to give everything back at once, and any negative threshold is so large for glibc that nothing is ever
 * trimmed. Any other leaves it to HAKMEM_PURGE_DELAY_MS. */
static void control_trim_threshold(int value) {
    /* Relaxed: see options.h. Who comes first stores the delay that nobody has changed yet. */
    const int64_t delay_ms = hak_load_relaxed(&hak_options.purge_delay_ms);
    int64_t configured_ms = CONTROL_UNKNOWN;
    if (hak_compare_exchange_acq_rel(&control_purge_delay_ms, &configured_ms, delay_ms)) {
        configured_ms = delay_ms;
    }
    hak_store_relaxed(&hak_options.purge_delay_ms, value > 0 ? configured_ms : value < 0 ? -1 : 0);
}

/* The largest M_MXFAST that glibc takes: a fast bin's largest block. */
#define CONTROL_MXFAST_MAX (80 * (int)sizeof(size_t) / 4)

/* 1: done or of no meaning here; 0: glibc does not take the value. Results are glibc's, which refuses no
 * parameter that it does not know and of the values only some of M_MXFAST. */
PRELOAD_API int mallopt(int parameter, int value) {
    hak_process_begin(); /* or the environment's options, read at the first allocation, would undo this */
    switch (parameter) {
    case M_MXFAST: return value >= 0 && value <= CONTROL_MXFAST_MAX;
    case M_TRIM_THRESHOLD: control_trim_threshold(value); return 1;
    case M_MMAP_THRESHOLD:
        /* Relaxed: see options.h. A negative value is a size that no block has. */
        hak_store_relaxed(&hak_options.map_threshold, (size_t)value);
        return 1;
    default: return 1;
    }
}

PRELOAD_ALIAS_GLIBC(__libc_mallopt, mallopt);

#endif
