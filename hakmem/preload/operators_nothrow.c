/* SPDX-License-Identifier: MIT */
/* operator new(nothrow): the throwing form inside a try, says the standard.
 *
 * C has no try. Where the throwing form is that of operators.c and no handler is set, nothing is thrown but bad_alloc,
 * and NULL takes its place. Else, which is rare, hak_cxx_new_caught calls it. */
#include "hakmem/hakmem.h"
#include "hakmem/preload/cxx_runtime.h"
#include "hakmem/preload/operators.h"

static void *nothrow_new(enum cxx_new form, size_t size, size_t alignment, const void *caller) {
    if (HAK_LIKELY(hak_operators_are_own(form))) {
        const bool aligned = form == CXX_NEW_ALIGNED || form == CXX_NEW_ARRAY_ALIGNED;
        void *p = aligned ? hak_aligned_alloc(alignment, size) : hak_alloc(size);
        if (HAK_LIKELY(p != NULL) || hak_cxx_new_handler(caller) == NULL) {
            return p;
        }
    }
    return hak_cxx_new_caught(form, size, alignment, caller);
}

void *_ZnwmRKSt9nothrow_t(size_t size, const void *nothrow) {
    (void)nothrow;
    return nothrow_new(CXX_NEW, size, 1, __builtin_return_address(0));
}

void *_ZnamRKSt9nothrow_t(size_t size, const void *nothrow) {
    (void)nothrow;
    return nothrow_new(CXX_NEW_ARRAY, size, 1, __builtin_return_address(0));
}

void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment, const void *nothrow) {
    (void)nothrow;
    return nothrow_new(CXX_NEW_ALIGNED, size, alignment, __builtin_return_address(0));
}

void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment, const void *nothrow) {
    (void)nothrow;
    return nothrow_new(CXX_NEW_ARRAY_ALIGNED, size, alignment, __builtin_return_address(0));
}
