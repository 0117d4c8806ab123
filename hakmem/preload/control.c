/* SPDX-License-Identifier: MIT */
/* malloc_trim and mallopt: glibc's parameters, mapped to hakmem's options where it has an equivalent. */
#include <malloc.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/options.h"
#include "hakmem/hakmem.h"
#include "hakmem/preload/preload.h"
#include "hakmem/process/begin.h"

/* 1 where memory went back to the system. `pad` is what glibc leaves at its heap's top, which hakmem does not have. */
PRELOAD_API int malloc_trim(size_t pad) {
    (void)pad;
    return hak_trim() != 0;
}

/* HAKMEM_PURGE_DELAY_MS as it was before M_TRIM_THRESHOLD -1 switched purging off. */
static int64_t control_purge_delay_ms = -1;

/* Any negative threshold is so large for glibc that nothing is ever trimmed. */
static void control_trim_threshold(int value) {
    /* Relaxed, here and below: see options.h. Two threads that set the same option at once want the same
     * value, or do not care whose comes last. */
    const int64_t delay_ms = hak_load_relaxed(&hak_options.purge_delay_ms);
    if (value < 0) {
        if (delay_ms >= 0) {
            hak_store_relaxed(&control_purge_delay_ms, delay_ms);
            hak_store_relaxed(&hak_options.purge_delay_ms, (int64_t)-1);
        }
        hak_store_relaxed(&hak_options.trim_threshold, (int64_t)-1);
        return;
    }
    if (delay_ms < 0) {
        hak_store_relaxed(&hak_options.purge_delay_ms, hak_load_relaxed(&control_purge_delay_ms));
    }
    hak_store_relaxed(&hak_options.trim_threshold, (int64_t)value);
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

PRELOAD_ALIAS(__libc_mallopt, mallopt);
