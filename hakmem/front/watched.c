/* SPDX-License-Identifier: MIT */
/* See watched.h. */
#include "hakmem/front/watched.h"

#include "hakmem/base/watcher.h"

#if HAK_WATCHED

#include <errno.h>
#include <string.h>

#include "hakmem/base/bits.h"
#include "hakmem/base/options.h"
#include "hakmem/front/misuse.h"
#include "hakmem/front/sized.h"
#include "hakmem/hakmem.h"
#include "hakmem/huge/huge.h"
#include "hakmem/pool/huge.h"
#include "hakmem/pool/pool.h"
#include "hakmem/sample/profile.h"

/* Without memcheck's header nobody is asked. */
#if !HAK_MEMCHECK
#define VALGRIND_DISABLE_ERROR_REPORTING ((void)0)
#define VALGRIND_ENABLE_ERROR_REPORTING ((void)0)
#define VALGRIND_MAKE_MEM_DEFINED(start, size) ((void)(start), (void)(size), 0)
#define VALGRIND_MAKE_MEM_NOACCESS(start, size) ((void)(start), (void)(size), 0)
#define VALGRIND_MALLOCLIKE_BLOCK(start, size, red_zone, zeroed) ((void)0)
#define VALGRIND_FREELIKE_BLOCK(start, red_zone) ((void)0)
#endif

/* Where hakmem's block begins. Inaccessible, but for this file. */
struct watched_header {
    size_t size;    /* bytes that the program asked for */
    uintptr_t mark; /* watched_mark() while the program's block is live, its complement when it is freed */
};

/* Inaccessible bytes between the header and the program's block, and after that: at least so many, as in memcheck's own malloc. */
#define WATCHED_RED_ZONE ((size_t)16)

/* All watched blocks are aligned to this. */
#define WATCHED_ALIGNMENT ((size_t)16)

enum watched_state {
    WATCHED_NONE, /* no block of the program starts there, as far as is known */
    WATCHED_LIVE,
    WATCHED_FREED,
};

/* What a pointer leads to; the rest is for those that are not WATCHED_NONE. */
struct watched {
    enum watched_state state;
    struct watched_header *header;
    size_t own_bytes; /* of hakmem's block */
    size_t size;      /* of the program's */
    bool is_huge;
};

static uintptr_t watched_mark(const void *p, size_t size) { return ~((uintptr_t)p ^ size); }

/* AddressSanitizer lets them touch what is poisoned, where hakmem is compiled with it. */
#define WATCHED_UNSEEN __attribute__((no_sanitize("address"), noinline))

/* What stands there, without a word from a watcher. */
WATCHED_UNSEEN static struct watched_header watched_read(const struct watched_header *from) {
    struct watched_header header;
    VALGRIND_DISABLE_ERROR_REPORTING;
    header = *from;
    VALGRIND_ENABLE_ERROR_REPORTING;
    (void)VALGRIND_MAKE_MEM_DEFINED(&header, sizeof header);
    return header;
}

WATCHED_UNSEEN static void watched_write(struct watched_header *to, struct watched_header header) {
    VALGRIND_DISABLE_ERROR_REPORTING;
    *to = header;
    VALGRIND_ENABLE_ERROR_REPORTING;
}

/* Of any p. */
static struct watched watched_find(const void *p) {
    struct hak_owner_info info;
    if (!hak_owner(p, &info)) {
        return (struct watched){.state = WATCHED_NONE};
    }
    const struct watched_header header = watched_read(info.block);
    const uintptr_t mark = watched_mark(p, header.size);
    return (struct watched){
        .state = header.mark == mark    ? WATCHED_LIVE
                 : header.mark == ~mark ? WATCHED_FREED
                                        : WATCHED_NONE,
        .header = info.block,
        .own_bytes = info.block_size,
        .size = header.size,
        .is_huge = info.pool == HAK_POOL_HUGE,
    };
}

/* From now on the program may touch its block at p, and nothing else of hakmem's `own` around it. */
static void watched_begin(char *own, size_t own_bytes, bool is_huge, char *p, size_t size) {
    (void)VALGRIND_MAKE_MEM_NOACCESS(own, own_bytes);
    VALGRIND_MALLOCLIKE_BLOCK(p, size, 0, 0);
    if (ASAN_WORKS()) {
        hak_asan_show(p, size);
        hak_asan_hide(own, (size_t)(p - own));
        hak_asan_hide(p + size, own_bytes - size - (size_t)(p - own));
        if (is_huge) {
            hak_asan_add_root(own, own_bytes); /* regions are roots themselves */
        }
    }
}

/* From now on it may not. memcheck reports a p at which no block starts; of the sanitizer that cannot be asked, so that hakmem reports
 * it, and below the sanitizer's list of the calls. */
static void watched_end(const char *operation, void *p, const struct watched *found, const void *caller) {
    VALGRIND_FREELIKE_BLOCK(p, 0);
    if (p == NULL || !ASAN_WORKS()) {
        return;
    }
    if (found->state == WATCHED_LIVE) {
        hak_asan_hide(p, found->size);
        if (found->is_huge) {
            hak_asan_remove_root(found->header, found->own_bytes);
        }
        return;
    }
    if (hak_options.on_misuse != HAK_ON_MISUSE_IGNORE) {
        hak_asan_print_calls();
    }
    if (found->state == WATCHED_FREED) {
        hak_report_misuse(HAK_MISUSE_DOUBLE_FREE, operation, p, found->size);
    } else {
        hak_misuse_stop(HAK_MISUSE_DOUBLE_FREE, operation, p, caller);
    }
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
    const size_t own_bytes = class_index != 0 ? hak_classes[class_index].block_size : hak_huge_usable_size(own);
    char *p = own + before;
    watched_write((struct watched_header *)own, (struct watched_header){.size = size, .mark = watched_mark(p, size)});
    watched_begin(own, own_bytes, class_index == 0, p, size);
    return p;
}

void *hak_watched_calloc(size_t bytes, const void *caller) {
    void *p = hak_watched_alloc(1, bytes, caller);
    return p == NULL ? NULL : memset(p, 0, bytes);
}

/* Always moves the block, so that a pointer to where it was is found, as memcheck's own realloc does. */
void *hak_watched_realloc(void *p, size_t size, const void *caller) {
    const struct watched found = watched_find(p);
    if (found.state != WATCHED_LIVE) {
        watched_end("realloc", p, &found, caller);
        errno = EINVAL;
        return NULL;
    }
    void *moved = hak_watched_alloc(1, size, caller);
    if (moved != NULL) {
        if (ASAN_WORKS()) {
            hak_asan_show(p, found.size); /* the program may have poisoned a part that it did not use */
        }
        memcpy(moved, p, found.size < size ? found.size : size);
        hak_free(p);
    }
    return moved;
}

size_t hak_watched_usable_size(const void *p) {
    const struct watched found = watched_find(p);
    return found.state == WATCHED_LIVE ? found.size : 0;
}

void *hak_watched_take(void *p, const void *caller) {
    const struct watched found = watched_find(p);
    watched_end("free", p, &found, caller);
    if (found.state != WATCHED_LIVE) {
        return NULL;
    }
    watched_write(found.header, (struct watched_header){.size = found.size, .mark = ~watched_mark(p, found.size)});
    return found.header;
}

#endif
