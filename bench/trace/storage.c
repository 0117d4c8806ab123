/* SPDX-License-Identifier: MIT */
/* The replayer's own memory: each piece is a mapping of its own. */
#include "bench/trace/storage.h"

#include "bench/worker/fail.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

/* What an array holds at first: most threads of most traces have few events. */
#define FIRST_BYTES 4096

static HAK_COLD _Noreturn void fail(size_t bytes, const char *what) {
    const int error = errno;
    char text[100];
    snprintf(text, sizeof text, "no memory for %s (%zu bytes)", what, bytes);
    worker_fail(text, error);
}

void *storage_new(size_t bytes, const char *what) {
    if (bytes == 0) {
        return NULL;
    }
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) {
        fail(bytes, what);
    }
    return pages;
}

void *storage_grow(void *pages, size_t old, size_t bytes, const char *what) {
    if (pages == NULL) {
        return storage_new(bytes, what);
    }
    pages = mremap(pages, old, bytes, MREMAP_MAYMOVE);
    if (pages == MAP_FAILED) {
        fail(bytes, what);
    }
    return pages;
}

void storage_free(void *pages, size_t bytes) {
    if (pages != NULL) {
        munmap(pages, bytes);
    }
}

void *storage_room(void *array, size_t count, size_t *capacity, size_t size, const char *what) {
    if (count < *capacity) {
        return array;
    }
    size_t old = *capacity * size;
    *capacity = *capacity == 0 ? FIRST_BYTES / size + 1 : 2 * *capacity;
    return storage_grow(array, old, *capacity * size, what);
}
