// SPDX-License-Identifier: MIT
/* The C++ runtime that the program is linked with; see cxx_runtime.h. Part of an archive that the linker takes only
 * where a program refers to operator new: C programs stay free of the runtime. */
#include "hakmem/preload/cxx_runtime.h"

#include <new>

cxx_handler hak_cxx_new_handler(const void *) { return std::get_new_handler(); }

void hak_cxx_throw_bad_alloc(const void *) { throw std::bad_alloc(); }

/* By the names that the C++ ABI gives them: C++ itself knows the aligned forms from C++17 on only, and a workspace that
 * uses this one may build with an older standard. */
extern "C" {
void *_Znwm(size_t size);
void *_Znam(size_t size);
void *_ZnwmSt11align_val_t(size_t size, size_t alignment);
void *_ZnamSt11align_val_t(size_t size, size_t alignment);
}

static void *new_of(enum cxx_new form, size_t size, size_t alignment) {
    switch (form) {
    case CXX_NEW: return _Znwm(size);
    case CXX_NEW_ARRAY: return _Znam(size);
    case CXX_NEW_ALIGNED: return _ZnwmSt11align_val_t(size, alignment);
    case CXX_NEW_ARRAY_ALIGNED: return _ZnamSt11align_val_t(size, alignment);
    }
    return nullptr;
}

void *hak_cxx_new_caught(enum cxx_new form, size_t size, size_t alignment, const void *) {
    try {
        return new_of(form, size, alignment);
    } catch (...) {
        return nullptr;
    }
}
