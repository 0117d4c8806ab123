/* SPDX-License-Identifier: MIT */
/* See watched.h. */
#include "hakmem/front/watched.h"

#include "hakmem/base/memcheck.h"

#if HAK_MEMCHECK

#include <errno.h>
#include <string.h>

#include "hakmem/base/bits.h"
#include "hakmem/front/sized.h"
#include "hakmem/hakmem.h"
#include "hakmem/pool/huge.h"
#include "hakmem/pool/pool.h"
#include "hakmem/sample/profile.h"

/* Where hakmem's block begins. Inaccessible, but for this file. */
struct watched_header {
    size_t size;    /* bytes that the program asked for */
    uintptr_t mark; /* watched_mark() while the program's block is live */
};

/* Inaccessible bytes between the header and the program's block, and after that: at least so many, as in memcheck's own malloc. */
#define WATCHED_RED_ZONE ((size_t)16)

/* All watched blocks are aligned to this. */
#define WATCHED_ALIGNMENT ((size_t)16)

/* A live block. */
struct watched {
    struct watched_header *header;
    size_t size;
};

static uintptr_t watched_mark(const void *p, size_t size) { return ~((uintptr_t)p ^ size); }

/* What stands there, without a word from memcheck. */
static struct watched_header watched_read(const struct watched_header *from) {
    struct watched_header header;
    VALGRIND_DISABLE_ERROR_REPORTING;
    header = *from;
    VALGRIND_ENABLE_ERROR_REPORTING;
    (void)VALGRIND_MAKE_MEM_DEFINED(&header, sizeof header);
    return header;
}

static void watched_write(struct watched_header *to, struct watched_header header) {
    VALGRIND_DISABLE_ERROR_REPORTING;
    *to = header;
    VALGRIND_ENABLE_ERROR_REPORTING;
}

/* Whether a live block starts at p, any p; fills *found. */
static bool watched_find(const void *p, struct watched *found) {
    struct hak_owner_info info;
    if (!hak_owner(p, &info)) {
        return false;
    }
    const struct watched_header header = watched_read(info.block);
    *found = (struct watched){.header = info.block, .size = header.size};
    return header.mark == watched_mark(p, header.size);
}

void *hak_watched_alloc(size_t alignment, size_t size, const void *caller) {
    const size_t aligned = alignment > WATCHED_ALIGNMENT ? alignment : WATCHED_ALIGNMENT;
    const size_t before = bits_round_up(sizeof(struct watched_header) + WATCHED_RED_ZONE, aligned);
    if (size > (size_t)PTRDIFF_MAX - before - WATCHED_RED_ZONE) {
        errno = ENOMEM;
        return NULL;
    }
    const size_t bytes = before + size + WATCHED_RED_ZONE;
    const unsigned class_index = front_aligned_class(aligned, bytes);
    const bool entered = profile_enter(profile_call(caller));
    bool zeroed;
    char *own = class_index != 0 ? pool_alloc(class_index, bytes)
                                 : hak_pool_alloc_huge(bytes, aligned, &zeroed, profile_call(caller));
    profile_leave(entered);
    if (own == NULL) {
        return NULL;
    }
    const size_t own_bytes =
        class_index != 0 ? hak_classes[class_index].block_size : bits_round_up(bytes, HAK_CHUNK_BYTES);
    char *p = own + before;
    watched_write((struct watched_header *)own, (struct watched_header){.size = size, .mark = watched_mark(p, size)});
    (void)VALGRIND_MAKE_MEM_NOACCESS(own, own_bytes);
    VALGRIND_MALLOCLIKE_BLOCK(p, size, 0, 0);
    return p;
}

void *hak_watched_calloc(size_t bytes, const void *caller) {
    void *p = hak_watched_alloc(1, bytes, caller);
    return p == NULL ? NULL : memset(p, 0, bytes);
}

/* Always moves the block, so that a pointer to where it was is found, as memcheck's own realloc does. */
void *hak_watched_realloc(void *p, size_t size, const void *caller) {
    struct watched found;
    if (!watched_find(p, &found)) {
        VALGRIND_FREELIKE_BLOCK(p, 0); /* memcheck reports it */
        errno = EINVAL;
        return NULL;
    }
    void *moved = hak_watched_alloc(1, size, caller);
    if (moved != NULL) {
        memcpy(moved, p, found.size < size ? found.size : size);
        hak_free(p);
    }
    return moved;
}

size_t hak_watched_usable_size(const void *p) {
    struct watched found;
    return watched_find(p, &found) ? found.size : 0;
}

void *hak_watched_take(void *p) {
    struct watched found;
    const bool is_live = watched_find(p, &found);
    VALGRIND_FREELIKE_BLOCK(p, 0); /* memcheck reports a p at which no block starts */
    if (!is_live) {
        return NULL;
    }
    watched_write(found.header, (struct watched_header){0});
    return found.header;
}

#endif
