// SPDX-License-Identifier: MIT
/* Live blocks, given back with a size or an alignment that they were not asked for with. */
#include <cstdlib>
#include <new>

#include "tests/misuse/cases/case.h"

/* C23's, which not every C library has. */
extern "C" __attribute__((weak)) void free_sized(void *p, size_t size);
extern "C" __attribute__((weak)) void free_aligned_sized(void *p, size_t alignment, size_t size);

namespace {

void *announced(void *p) {
    misuse_announce(p);
    return p;
}

std::align_val_t alignment(size_t bytes) { return static_cast<std::align_val_t>(bytes); }

/* Half and twice a size are never of the same class, and no two lengths of a huge block. */

void delete_smaller_size(size_t size) { operator delete(announced(operator new(size)), size / 2); }

void delete_larger_size(size_t size) { operator delete(announced(operator new(size)), 2 * size); }

void delete_array_wrong_size(size_t size) { operator delete[](announced(operator new[](size)), size / 2); }

void delete_resized_with_old_size(size_t size) {
    void *p = realloc(malloc(size), size / 2);
    operator delete(announced(p), size);
}

void delete_aligned_wrong_size(size_t size) {
    operator delete(announced(operator new(size, alignment(64))), size / 2, alignment(64));
}

void delete_aligned_array_wrong_size(size_t size) {
    operator delete[](announced(operator new[](size, alignment(64))), 2 * size, alignment(64));
}

void delete_larger_alignment(size_t size) {
    void *p = announced(operator new(size, alignment(64)));
    operator delete(p, alignment(misuse_alignment_unlike(p)));
}

void delete_sized_larger_alignment(size_t size) {
    void *p = announced(operator new(size, alignment(64)));
    operator delete(p, size, alignment(misuse_alignment_unlike(p)));
}

/* The alignment is what made the block longer than its size asks for. */
void delete_smaller_alignment(size_t) {
    operator delete(announced(operator new(100, alignment(4096))), 100, alignment(32));
}

void delete_no_alignment(size_t size) {
    operator delete(announced(operator new(size, alignment(64))), size, alignment(48));
}

void free_sized_wrong(size_t size) {
    if (free_sized != nullptr) free_sized(announced(malloc(size)), size / 2);
}

void free_aligned_sized_wrong(size_t size) {
    if (free_aligned_sized != nullptr) free_aligned_sized(announced(aligned_alloc(64, size)), 64, 2 * size);
}

} // namespace

const struct misuse_case misuse_sized_frees[] = {
    {"delete_smaller_size", true, false, delete_smaller_size},
    {"delete_larger_size", true, false, delete_larger_size},
    {"delete_array_wrong_size", true, false, delete_array_wrong_size},
    {"delete_resized_with_old_size", true, false, delete_resized_with_old_size},
    {"delete_aligned_wrong_size", true, false, delete_aligned_wrong_size},
    {"delete_aligned_array_wrong_size", true, false, delete_aligned_array_wrong_size},
    {"delete_larger_alignment", true, false, delete_larger_alignment},
    {"delete_sized_larger_alignment", true, false, delete_sized_larger_alignment},
    {"delete_smaller_alignment", false, false, delete_smaller_alignment},
    {"delete_no_alignment", true, false, delete_no_alignment},
    {"free_sized_wrong", true, false, free_sized_wrong},
    {"free_aligned_sized_wrong", true, false, free_aligned_sized_wrong},
    {nullptr, false, false, nullptr},
};
