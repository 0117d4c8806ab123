/* SPDX-License-Identifier: MIT */
/* Finds the next allocator, with dlsym, which may itself allocate: then the thread that is inside of it gets blocks
 * from a small static array. They are not recorded, and freeing them does nothing. */
#include "bench/trace/recorder_next.h"

#include "bench/trace/recorder.h"

#include <dlfcn.h>
#include <stdlib.h>

/* The loader's few error buffers and names. */
#define EARLY_BYTES 16384
#define EARLY_ALIGNMENT 16

struct recorder_next recorder_next;

static uint32_t found;                   /* atomic: all of recorder_next is set */
static HAK_THREAD_LOCAL bool is_looking; /* this thread is inside next_find */

static _Alignas(EARLY_ALIGNMENT) char early[EARLY_BYTES]; /* each block behind a size_t that holds its size */
static size_t early_used;                                 /* atomic */

void *next_function(const char *name) { return dlsym(RTLD_NEXT, name); }

static void *need(const char *name) {
    void *function = next_function(name);
    if (function == NULL) {
        system_say("no library of this program has", name, 0);
        abort();
    }
    return function;
}

bool next_find(void) {
    if (hak_load_acquire(&found)) { /* acquire: the functions were set before it */
        return true;
    }
    if (is_looking) {
        return false;
    }
    is_looking = true;
    /* Two threads that look at once find, and store, the same. */
    struct recorder_next next;
    *(void **)&next.malloc = need("malloc");
    *(void **)&next.calloc = need("calloc");
    *(void **)&next.realloc = need("realloc");
    *(void **)&next.reallocarray = need("reallocarray");
    *(void **)&next.memalign = need("memalign");
    *(void **)&next.aligned_alloc = need("aligned_alloc");
    *(void **)&next.posix_memalign = need("posix_memalign");
    *(void **)&next.valloc = need("valloc");
    *(void **)&next.pvalloc = need("pvalloc");
    *(void **)&next.free = need("free");
    static struct recorder_lock lock;
    recorder_lock_take(&lock, &is_looking);
    if (!hak_load_relaxed(&found)) { /* relaxed: the lock orders it */
        recorder_next = next;
        hak_store_release(&found, 1u); /* release: what was stored before */
    }
    recorder_lock_give(&lock);
    is_looking = false;
    return true;
}

void *next_early_block(size_t size) {
    size_t bytes = (size + 2 * EARLY_ALIGNMENT - 1) & ~(size_t)(EARLY_ALIGNMENT - 1);
    /* relaxed: the result is this caller's own */
    size_t offset = bytes < size ? EARLY_BYTES : hak_fetch_add_relaxed(&early_used, bytes);
    if (offset > EARLY_BYTES - EARLY_ALIGNMENT || bytes > EARLY_BYTES - offset) {
        system_say("the loader wants more memory than was foreseen before there is an allocator", "", 0);
        abort();
    }
    char *block = early + offset + EARLY_ALIGNMENT;
    ((size_t *)(void *)block)[-1] = size;
    return block;
}

bool next_is_early(const void *p) { return (uintptr_t)p - (uintptr_t)early < sizeof early; }

size_t next_early_size(const void *p) { return ((const size_t *)p)[-1]; }
