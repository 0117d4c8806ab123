/* SPDX-License-Identifier: MIT */
/* operator new and delete, in C: a library in C++ would load the C++ runtime into every C program.
 *
 * new(size), delete(p) and their aligned forms hold the fast paths of malloc and free. All other forms are what the
 * standard says of them, calls of these: a program that replaces only these, as it may, is then asked for every
 * block and gets every one back. So each call goes by the symbol, a jump through the global offset table, and all
 * symbols are weak. Sizes and alignments that delete is told are not needed to free a block; with guard they are held
 * against it, where both new and delete are those of this file.
 *
 * The slow path of new calls the new handler until there is memory, none is set, or it throws. Compiled with
 * -fexceptions, since exceptions pass through here. */
#include "hakmem/preload/operators.h"

#include "hakmem/base/bits.h"
#include "hakmem/front/front_fast.h"
#include "hakmem/front/sized.h"
#include "hakmem/preload/cxx_runtime.h"
#include "hakmem/sample/profile.h"

/* alignment 0: as malloc aligns. */
static void *operators_block(size_t size, size_t alignment) {
    return alignment == 0 ? hak_alloc(size) : hak_aligned_alloc(alignment, size);
}

/* Throws where there is no memory. */
static HAK_COLD void *operators_new_slow(size_t size, size_t alignment, const void *caller) {
    for (;;) {
        const bool entered = profile_enter(profile_call(caller));
        void *p = operators_block(size, alignment);
        profile_leave(entered);
        if (p != NULL) {
            return p;
        }
        cxx_handler handler = hak_cxx_new_handler(caller);
        if (handler == NULL) {
            hak_cxx_throw_bad_alloc(caller);
        }
        handler();
    }
}

/* Asked for on slow paths only. */
#define CALLER __builtin_return_address(0)

#define OPERATION_DELETE "operator delete"

static HAK_HOT_ENTRY void *operators_new(size_t size) {
    void *p = ladder_splits_paths() ? tiny_pop(size) : NULL;
    return HAK_LIKELY(p != NULL) ? p : operators_new_slow(size, 0, CALLER);
}

static HAK_HOT_ENTRY void operators_delete(void *p) { hak_free_inline(p); }

static void *operators_new_aligned(size_t size, size_t alignment) {
    /* No handler can mend an alignment that is not one. */
    if (HAK_UNLIKELY(!bits_is_power_of_two(alignment))) {
        hak_cxx_throw_bad_alloc(CALLER);
    }
    return operators_new_slow(size, alignment, CALLER);
}

static void operators_delete_aligned(void *p, size_t alignment) {
    if (!HAK_GUARD_EXACT || !hak_operators_are_own(CXX_NEW_ALIGNED) ||
        hak_front_alignment_fits(OPERATION_DELETE, p, alignment, CALLER)) {
        hak_free_inline(p);
    }
}

static void operators_delete_array(void *p) { _ZdlPv(p); }

static void *operators_new_array(size_t size) { return _Znwm(size); }

static void *operators_new_array_aligned(size_t size, size_t alignment) {
    return _ZnwmSt11align_val_t(size, alignment);
}

OPERATOR(_Znwm, operators_new);
OPERATOR(_Znam, operators_new_array);
OPERATOR(_ZnwmSt11align_val_t, operators_new_aligned);
OPERATOR(_ZnamSt11align_val_t, operators_new_array_aligned);
OPERATOR(_ZdlPv, operators_delete);
OPERATOR(_ZdaPv, operators_delete_array);
OPERATOR(_ZdlPvSt11align_val_t, operators_delete_aligned);

bool hak_operators_are_own(enum cxx_new form) {
    switch (form) {
    case CXX_NEW: return _Znwm == operators_new;
    case CXX_NEW_ARRAY: return _Znam == operators_new_array && _Znwm == operators_new;
    case CXX_NEW_ALIGNED: return _ZnwmSt11align_val_t == operators_new_aligned;
    case CXX_NEW_ARRAY_ALIGNED:
        return _ZnamSt11align_val_t == operators_new_array_aligned && _ZnwmSt11align_val_t == operators_new_aligned;
    }
    return false;
}

/* Whether a size is held against the block: with guard, where all that could be asked for the block is of this file. */
static inline bool operators_check(enum cxx_new form) {
    switch (form) {
    case CXX_NEW: return HAK_GUARD_EXACT && hak_operators_are_own(form) && _ZdlPv == operators_delete;
    case CXX_NEW_ARRAY:
        return operators_check(CXX_NEW) && hak_operators_are_own(form) && _ZdaPv == operators_delete_array;
    case CXX_NEW_ALIGNED:
    case CXX_NEW_ARRAY_ALIGNED:
        return HAK_GUARD_EXACT && hak_operators_are_own(form) && _ZdlPvSt11align_val_t == operators_delete_aligned;
    }
    return false;
}

static HAK_COLD void operators_delete_checked(void *p, size_t size) {
    if (hak_front_fits(OPERATION_DELETE, p, size, FRONT_ALIGNMENT_NONE, CALLER)) {
        operators_delete(p);
    }
}

static HAK_COLD void operators_delete_aligned_checked(void *p, size_t size, size_t alignment) {
    if (hak_front_fits(OPERATION_DELETE, p, size, alignment, CALLER)) {
        operators_delete(p);
    }
}

/* The other forms of delete: of arrays, of known size, and what follows an exception of a constructor after a nothrow
 * new. */

void _ZdlPvm(void *p, size_t size) {
    if (operators_check(CXX_NEW) && !front_fits_tiny(p, size)) {
        operators_delete_checked(p, size);
    } else {
        _ZdlPv(p);
    }
}

void _ZdaPvm(void *p, size_t size) {
    if (operators_check(CXX_NEW_ARRAY) && !front_fits_tiny(p, size)) {
        operators_delete_checked(p, size);
    } else {
        _ZdaPv(p);
    }
}

void _ZdlPvRKSt9nothrow_t(void *p, const void *nothrow) {
    (void)nothrow;
    _ZdlPv(p);
}

void _ZdaPvRKSt9nothrow_t(void *p, const void *nothrow) {
    (void)nothrow;
    _ZdaPv(p);
}

void _ZdaPvSt11align_val_t(void *p, size_t alignment) { _ZdlPvSt11align_val_t(p, alignment); }

void _ZdlPvmSt11align_val_t(void *p, size_t size, size_t alignment) {
    if (operators_check(CXX_NEW_ALIGNED)) {
        operators_delete_aligned_checked(p, size, alignment);
    } else {
        _ZdlPvSt11align_val_t(p, alignment);
    }
}

void _ZdaPvmSt11align_val_t(void *p, size_t size, size_t alignment) {
    if (operators_check(CXX_NEW_ARRAY_ALIGNED)) {
        operators_delete_aligned_checked(p, size, alignment);
    } else {
        _ZdaPvSt11align_val_t(p, alignment);
    }
}

void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *p, size_t alignment, const void *nothrow) {
    (void)nothrow;
    _ZdlPvSt11align_val_t(p, alignment);
}

void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *p, size_t alignment, const void *nothrow) {
    (void)nothrow;
    _ZdaPvSt11align_val_t(p, alignment);
}
