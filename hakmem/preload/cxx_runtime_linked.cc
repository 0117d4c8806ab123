// SPDX-License-Identifier: MIT
/* The C++ runtime that the program is linked with; see cxx_runtime.h. Part of an archive that the linker takes only
 * where a program refers to operator new: C programs stay free of the runtime. */
#include "hakmem/preload/cxx_runtime.h"

#include <new>

cxx_handler hak_cxx_new_handler(const void *) { return std::get_new_handler(); }

void hak_cxx_throw_bad_alloc(const void *) { throw std::bad_alloc(); }

static void *new_of(enum cxx_new form, size_t size, std::align_val_t alignment) {
    switch (form) {
    case CXX_NEW: return ::operator new(size);
    case CXX_NEW_ARRAY: return ::operator new[](size);
    case CXX_NEW_ALIGNED: return ::operator new(size, alignment);
    case CXX_NEW_ARRAY_ALIGNED: return ::operator new[](size, alignment);
    }
    return nullptr;
}

void *hak_cxx_new_caught(enum cxx_new form, size_t size, size_t alignment, const void *) {
    try {
        return new_of(form, size, std::align_val_t(alignment));
    } catch (...) {
        return nullptr;
    }
}
