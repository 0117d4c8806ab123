/* hak_calloc: clears only what is not known to read zero already. */
#include <errno.h>
#include <string.h>

#include "hakmem/front/front_fast.h"
#include "hakmem/front/guarded.h"
#include "hakmem/huge/huge.h"
#include "hakmem/magazine/exchange.h"
#include "hakmem/profile/profile.h"

void *hak_calloc(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > PTRDIFF_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    if (HAK_GUARD_FULL) {
        return guarded_calloc(bytes, __builtin_return_address(0));
    }
    const bool entered = profile_enter(profile_call(__builtin_return_address(0)));
    bool zeroed;
    void *p;
    if (bytes > HAK_L25_MAX) {
        p = huge_alloc(bytes, 1, &zeroed);
    } else {
        const unsigned class_index = size_class_of(bytes);
        p = pool_alloc(class_index);
        zeroed = exchange_is_zeroed(class_index);
    }
    profile_leave(entered);
    return p == NULL || zeroed ? p : memset(p, 0, bytes);
}
