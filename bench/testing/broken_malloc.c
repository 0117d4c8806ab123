/* SPDX-License-Identifier: MIT */
/* A malloc that breaks one promise, to preload: the control that shows that what watches the workers sees it.
 *
 * BROKEN_MALLOC in the environment names the promise; without it all is as the C library has it, but for blocks that are
 * never given back, so that a wrong one does no harm behind the back of the check.
 *
 *   overlap, dirty, forget, misalign    every PERIODth call of the kind in question answers wrongly
 *   null, abort, exit, hang, hoard, fork    every call but free, from the one of BROKEN_MALLOC_FROM on: it gives
 *                                           nothing, ends the process in one of two ways, does not return, keeps
 *                                           HOARD_BYTES and does not return, starts a process, but no more than
 *                                           FORKS_MOST of them
 *
 * The first row is for workloads of one thread. For tests only. */
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PERIOD 50
#define FROM 5000
#define HOARD_BYTES ((size_t)256 << 20)
#define FORKS_MOST 40

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static struct {
    void *block;
    size_t size;
} last;                /* one thread only */
static unsigned calls; /* likewise */
static atomic_ulong requests;
static atomic_uint forks;

/* No getenv: it may be asked for before the C library is ready, and may not be asked for by another name. */
static const char *variable(const char *name) {
    const size_t length = strlen(name);
    for (char **one = environ; one != NULL && *one != NULL; one++) {
        if (strncmp(*one, name, length) == 0 && (*one)[length] == '=') {
            return *one + length + 1;
        }
    }
    return NULL;
}

static bool promised(const char *promise) {
    const char *broken = variable("BROKEN_MALLOC");
    return broken == NULL || strcmp(broken, promise) != 0;
}

static bool broken(const char *promise) { return !promised(promise) && ++calls % PERIOD == 0; }

static void stand_still(void) {
    for (;;) {
        pause();
    }
}

/* true where a call gives nothing. */
static bool goes_wrong(void) {
    const char *from = variable("BROKEN_MALLOC_FROM");
    /* relaxed: which thread's call is the first wrong one does not matter */
    if (atomic_fetch_add_explicit(&requests, 1, memory_order_relaxed) <
        (from != NULL ? strtoul(from, NULL, 10) : FROM)) {
        return false;
    }
    if (!promised("abort")) {
        abort();
    }
    if (!promised("exit")) {
        _exit(EXIT_SUCCESS);
    }
    if (!promised("hang")) {
        stand_still();
    }
    if (!promised("hoard")) {
        memset(__libc_malloc(HOARD_BYTES), 1, HOARD_BYTES);
        stand_still();
    }
    /* relaxed: it only counts */
    if (!promised("fork") && atomic_fetch_add_explicit(&forks, 1, memory_order_relaxed) < FORKS_MOST && fork() == 0) {
        stand_still();
    }
    return !promised("null");
}

/* overlap: the block before is given out again. */
void *malloc(size_t size) {
    if (goes_wrong()) {
        return NULL;
    }
    void *p = last.block;
    if (p == NULL || last.size < size || !broken("overlap")) {
        p = __libc_malloc(size);
    }
    last.block = p;
    last.size = size;
    return p;
}

void free(void *p) { (void)p; }

/* dirty: one byte is not zero. */
void *calloc(size_t count, size_t size) {
    if (goes_wrong()) {
        return NULL;
    }
    unsigned char *p = __libc_calloc(count, size);
    if (p != NULL && count * size != 0 && broken("dirty")) {
        p[0] = 1;
    }
    return p;
}

/* forget: the new block does not hold what the old one held. */
void *realloc(void *p, size_t size) {
    if (goes_wrong()) {
        return NULL;
    }
    void *moved = __libc_malloc(size);
    if (p != NULL && moved != NULL && !broken("forget")) {
        size_t old_size = malloc_usable_size(p);
        memcpy(moved, p, old_size < size ? old_size : size);
    }
    return moved;
}

/* misalign: half as much as was asked for. */
void *aligned_alloc(size_t alignment, size_t size) {
    if (goes_wrong()) {
        return NULL;
    }
    char *p = __libc_memalign(alignment, size + alignment);
    return p != NULL && broken("misalign") ? p + alignment / 2 : p;
}
