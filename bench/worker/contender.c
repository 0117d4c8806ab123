/* SPDX-License-Identifier: MIT */
/* What a contender says about itself: version, switches, and whether it is the one that serves the calls.
 *
 * Called by the worker before and after the measured part, on the main thread. */
#include "bench/worker/contender.h"

#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <stdio.h>
#include <string.h>

/* A size that every contender serves from its ordinary small blocks. */
#define PROBE_SIZE 32

/* The object that `function` lies in; NULL where the loader does not know. */
static const char *object_of(const void *function) {
    Dl_info info;
    return dladdr(function, &info) != 0 ? info.dli_fname : NULL;
}

/* true where `function` lies in a shared object whose file name contains `part`. */
__attribute__((unused)) static bool lies_in(const void *function, const char *part) {
    const char *object = object_of(function);
    return object != NULL && strstr(object, part) != NULL;
}

bool contender_is_comparable(void) {
#if !defined(__OPTIMIZE__) || !defined(NDEBUG) || HAK_ADDRESS_SANITIZER || HAK_THREAD_SANITIZER
    return false;
#elif defined(HAK_DEBUG)
    return !HAK_DEBUG;
#else
    return true;
#endif
}

/* The text of what mi_version() returns: 209 is 2.0.9. */
__attribute__((unused)) static const char *mimalloc_version(int version) {
    static char text[16];
    snprintf(text, sizeof text, "%d.%d.%d", version / 100, version / 10 % 10, version % 10);
    return text;
}

#if BENCH_CONTENDER == BENCH_MIMALLOC

const char *contender_version(void) { return mimalloc_version(mi_version()); }

const char *contender_config(void) { return NULL; }

const char *contender_object(void) { return object_of((const void *)mi_malloc); }

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

const char *contender_object(void) { return object_of((const void *)malloc); }

const char *contender_defect(void) {
    if (!lies_in((const void *)malloc, "/libc.so") || !lies_in((const void *)free, "/libc.so")) {
        return "malloc and free do not come from libc.so: another library stands in front of it";
    }
    return NULL;
}

#elif BENCH_CONTENDER == BENCH_MALLOC

/* What the libraries that are compared call themselves; each asked only where it answers malloc, so that a library
 * that is merely loaded says nothing. */
static void *own_function(const char *name) {
    void *function = dlsym(RTLD_DEFAULT, name);
    const char *object = function != NULL ? object_of(function) : NULL;
    const char *answers = contender_object();
    return object != NULL && answers != NULL && strcmp(object, answers) == 0 ? function : NULL;
}

typedef const char *text_function(void);
typedef int number_function(void);
typedef const char *tcmalloc_version_function(int *major, int *minor, const char **patch);
typedef int jemalloc_control_function(const char *name, void *old, size_t *old_size, void *new, size_t new_size);

const char *contender_version(void) {
    text_function *hakmem = (text_function *)own_function("hak_version");
    number_function *mimalloc = (number_function *)own_function("mi_version");
    tcmalloc_version_function *tcmalloc = (tcmalloc_version_function *)own_function("tc_version");
    jemalloc_control_function *jemalloc = (jemalloc_control_function *)own_function("mallctl");
    if (hakmem != NULL) {
        return hakmem();
    }
    if (mimalloc != NULL) {
        return mimalloc_version(mimalloc());
    }
    if (tcmalloc != NULL) {
        int major, minor;
        const char *patch;
        return tcmalloc(&major, &minor, &patch);
    }
    const char *text;
    size_t size = sizeof text;
    if (jemalloc != NULL && jemalloc("version", &text, &size, NULL, 0) == 0) {
        return text;
    }
    return lies_in((const void *)malloc, "/libc.so") ? gnu_get_libc_version() : "unknown";
}

const char *contender_config(void) {
    text_function *hakmem = (text_function *)own_function("hak_config_string");
    return hakmem != NULL ? hakmem() : NULL;
}

const char *contender_object(void) { return object_of((const void *)malloc); }

/* A library that answers some of the names only would be measured in part, and the rest be libc's. */
const char *contender_defect(void) {
    const void *functions[] = {(const void *)free, (const void *)calloc, (const void *)realloc,
                               (const void *)aligned_alloc};
    const char *object = contender_object();
    for (size_t i = 0; object != NULL && i < sizeof functions / sizeof functions[0]; i++) {
        const char *other = object_of(functions[i]);
        if (other == NULL || strcmp(object, other) != 0) {
            return "malloc, free, calloc, realloc and aligned_alloc do not come from one object";
        }
    }
    return object != NULL ? NULL : "the loader does not know who answers malloc";
}

#else

const char *contender_version(void) { return hak_version(); }

const char *contender_config(void) { return hak_config_string(); }

const char *contender_object(void) { return object_of((const void *)hak_alloc); }

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
