/* SPDX-License-Identifier: MIT */
/* A preloaded library with hooks on what an allocator may call, each of which allocates itself, and on dlsym, which
 * looks the originals up: what profilers, sandboxes and the like do. hooks_calls() says how often they were called. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static unsigned calls; /* atomic */

unsigned hooks_calls(void) { return __atomic_load_n(&calls, __ATOMIC_RELAXED); }

/* What the process runs out of its stack with, where an allocation calls a hook. */
static __thread int depth;

static void allocate(void) {
    static const size_t sizes[] = {1, 100, 3000, 60000, 3000000};
    __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
    if (++depth > 50) {
        static const char line[] = "hooks: an allocation led to a hook that allocates\n";
        (void)!write(2, line, sizeof line - 1);
        _exit(3);
    }
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *p = malloc(sizes[i]);
        if (p == NULL) {
            _exit(4);
        }
        p[0] = p[sizes[i] - 1] = 1;
        free(realloc(p, 2 * sizes[i]));
        free(calloc(1, sizes[i]));
    }
    depth--;
}

/* The original, looked up at every call, as naive hooks do. */
static void *original(const char *name) { return dlsym(RTLD_NEXT, name); }

void *dlsym(void *restrict handle, const char *restrict name) {
    static void *(*real)(void *, const char *);
    if (real == NULL) {
        *(void **)&real = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.34");
        if (real == NULL) {
            *(void **)&real = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.2.5");
        }
    }
    free(calloc(1, 100));
    return real(handle, name);
}

#define HOOK(result, name, parameters, arguments) \
    result name parameters {                      \
        result(*real) parameters;                 \
        *(void **)&real = original(#name);        \
        allocate();                               \
        return real arguments;                    \
    }

HOOK(void *, mmap, (void *start, size_t size, int protection, int flags, int file, off_t offset),
     (start, size, protection, flags, file, offset))
HOOK(void *, mmap64, (void *start, size_t size, int protection, int flags, int file, off64_t offset),
     (start, size, protection, flags, file, offset))
HOOK(int, munmap, (void *start, size_t size), (start, size))
HOOK(int, mprotect, (void *start, size_t size, int protection), (start, size, protection))
HOOK(int, madvise, (void *start, size_t size, int advice), (start, size, advice))
HOOK(char *, getenv, (const char *name), (name))
HOOK(char *, secure_getenv, (const char *name), (name))

void *mremap(void *start, size_t old_size, size_t size, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    void *target = (flags & MREMAP_FIXED) != 0 ? va_arg(arguments, void *) : NULL;
    va_end(arguments);
    void *(*real)(void *, size_t, size_t, int, void *);
    *(void **)&real = original("mremap");
    allocate();
    return real(start, old_size, size, flags, target);
}

#ifdef HOOKS_OF_THREADS
HOOK(int, pthread_create,
     (pthread_t *restrict thread, const pthread_attr_t *restrict attributes, void *(*run)(void *),
      void *restrict argument),
     (thread, attributes, run, argument))
HOOK(int, pthread_setspecific, (pthread_key_t key, const void *value), (key, value))
#endif

#ifdef HOOKS_OF_THE_START
HOOK(int, pthread_key_create, (pthread_key_t * key, void (*end)(void *)), (key, end))
HOOK(int, clock_gettime, (clockid_t clock, struct timespec *now), (clock, now))
HOOK(long, sysconf, (int name), (name))
#endif
