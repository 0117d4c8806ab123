/* SPDX-License-Identifier: MIT */
/* See asan.h. */
#include "hakmem/base/asan.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hakmem/base/atomic.h"

#if HAK_DEBUG

#define OF_THE_SANITIZER __attribute__((weak, visibility("default"))) extern

OF_THE_SANITIZER void __asan_unpoison_memory_region(const volatile void *start, size_t size);
/* The first byte that is poisoned; NULL: none is. */
OF_THE_SANITIZER void *__asan_region_is_poisoned(void *start, size_t size);
/* Of the byte at p it notes what is poisoned in that at (p >> *scale) + *start. */
OF_THE_SANITIZER void __asan_get_shadow_mapping(size_t *scale, size_t *start);
OF_THE_SANITIZER void __lsan_register_root_region(const void *start, size_t size);
OF_THE_SANITIZER void __lsan_unregister_root_region(const void *start, size_t size);
OF_THE_SANITIZER void __sanitizer_print_stack_trace(void);

enum asan_state { ASAN_UNKNOWN, ASAN_IGNORES, ASAN_LISTENS };

/* A multiple of the sizes of pages. */
#define ASAN_PAGE ((uintptr_t)1 << 16)

/* Whether it has begun. Where malloc is hakmem's, it is called before, and the sanitizer's functions would touch what is not mapped. */
static bool asan_has_begun(const char *bytes) {
    const int saved_errno = errno;
    size_t scale = 0, start = 0;
    unsigned char resident;
    __asan_get_shadow_mapping(&scale, &start);
    const uintptr_t notes = ((uintptr_t)bytes >> scale) + start;
    const bool has = syscall(SYS_mincore, notes & ~(ASAN_PAGE - 1), (size_t)1, &resident) == 0;
    errno = saved_errno;
    return has;
}

/* Whether poison stays where it is put. The bytes are the calling thread's own. */
static enum asan_state asan_try(void) {
    _Alignas(8) char bytes[8] = {0};
    if (!asan_has_begun(bytes)) {
        return ASAN_IGNORES;
    }
    __asan_poison_memory_region(bytes, sizeof bytes);
    const bool stays = __asan_region_is_poisoned(bytes, sizeof bytes) != NULL;
    __asan_unpoison_memory_region(bytes, sizeof bytes);
    return stays ? ASAN_LISTENS : ASAN_IGNORES;
}

bool hak_asan_works(void) {
    static unsigned char known; /* atomic: enum asan_state */
    /* Relaxed: whichever thread tries, the outcome is the same, and nothing else is published. */
    unsigned char state = hak_load_relaxed(&known);
    if (state == ASAN_UNKNOWN) {
        state = (unsigned char)asan_try();
        hak_store_relaxed(&known, state);
    }
    return state == ASAN_LISTENS;
}

void hak_asan_hide(void *start, size_t size) { __asan_poison_memory_region(start, size); }

/* The sanitizer notes in memory of its own what is poisoned, a byte for eight. To read there first leaves its pages untouched where
 * there is nothing to take off, so that a large block of which little is used stays small. */
void hak_asan_show(void *start, size_t size) {
    char *first = __asan_region_is_poisoned(start, size);
    if (first != NULL) {
        __asan_unpoison_memory_region(first, size - (size_t)(first - (char *)start));
    }
}

void hak_asan_add_root(void *start, size_t size) {
    if (&__lsan_register_root_region != NULL) {
        __lsan_register_root_region(start, size);
    }
}

void hak_asan_remove_root(void *start, size_t size) {
    if (&__lsan_unregister_root_region != NULL) {
        __lsan_unregister_root_region(start, size);
    }
}

void hak_asan_print_calls(void) {
    if (&__sanitizer_print_stack_trace != NULL) {
        __sanitizer_print_stack_trace();
    }
}

#endif
