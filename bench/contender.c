/* What a contender says about itself: version, switches, and whether it is the one that serves the calls.
 *
 * Called by worker.c before and after the measured part, on the main thread. */
#include "bench/contender.h"

#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <stdio.h>
#include <string.h>

/* A size that every contender serves from its ordinary small blocks. */
#define PROBE_SIZE 32

/* true where `function` lies in a shared object whose file name contains `part`. */
__attribute__((unused)) static bool lies_in(const void *function, const char *part) {
    Dl_info info;
    return dladdr(function, &info) != 0 && info.dli_fname != NULL && strstr(info.dli_fname, part) != NULL;
}

bool contender_is_comparable(void) {
#if !defined(__OPTIMIZE__) || !defined(NDEBUG) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return false;
#elif defined(HAK_DEBUG)
    return !HAK_DEBUG;
#else
    return true;
#endif
}

#if BENCH_CONTENDER == BENCH_MIMALLOC

const char *contender_version(void) {
    static char text[16];
    int version = mi_version(); /* 209 is 2.0.9 */
    snprintf(text, sizeof text, "%d.%d.%d", version / 100, version / 10 % 10, version % 10);
    return text;
}

const char *contender_config(void) { return NULL; }

const char *contender_defect(void) {
    if (!lies_in((const void *)mi_malloc, "libmimalloc")) {
        return "mi_malloc does not come from libmimalloc.so";
    }
    void *p = mi_malloc(PROBE_SIZE);
    bool served = p != NULL && mi_is_in_heap_region(p);
    mi_free(p);
    return served ? NULL : "mi_malloc gives blocks that mimalloc does not know";
}

#elif BENCH_CONTENDER == BENCH_GLIBC

const char *contender_version(void) { return gnu_get_libc_version(); }

const char *contender_config(void) { return NULL; }

const char *contender_defect(void) {
    if (!lies_in((const void *)malloc, "/libc.so") || !lies_in((const void *)free, "/libc.so")) {
        return "malloc and free do not come from libc.so: another library stands in front of it";
    }
    return NULL;
}

#else

const char *contender_version(void) { return hak_version(); }

const char *contender_config(void) { return hak_config_string(); }

const char *contender_defect(void) {
#if BENCH_CONTENDER == BENCH_HAKMEM_SHARED
    if (!lies_in((const void *)hak_alloc, "libhakmem")) {
        return "hak_alloc does not come from libhakmem-bench.so";
    }
#endif
    void *p = bench_alloc(PROBE_SIZE);
    struct hak_owner_info info;
    bool served = p != NULL && hak_owner(p, &info);
    bench_free(p);
    return served ? NULL : "hak_alloc gives blocks that hakmem does not know";
}

#endif
