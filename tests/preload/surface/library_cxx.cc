// SPDX-License-Identifier: MIT
// A library in C++ that a C program opens: what operator new does when there is no memory, with the C++ runtime that
// came with this library.
#include <cstdint>
#include <new>
#include <string>
#include <vector>

namespace {

int calls;

void refuse() {
    calls++;
    throw 5;
}

size_t opaque(size_t size) {
    __asm__ volatile("" : "+r"(size));
    return size;
}

} // namespace

// A bit for each thing that went right; 63: all.
extern "C" int cxx_works() {
    int right = 0;
    const size_t too_large = opaque(PTRDIFF_MAX);
    std::vector<std::string> strings(1000, std::string(100, 'x'));
    right |= strings[999].size() == 100 ? 1 : 0;
    try {
        ::operator delete(::operator new(too_large));
    } catch (const std::bad_alloc &) {
        right |= 2;
    }
    right |= ::operator new(too_large, std::nothrow) == nullptr ? 4 : 0;
    std::set_new_handler(refuse);
    try {
        ::operator delete(::operator new(too_large));
    } catch (int thrown) {
        right |= thrown == 5 && calls == 1 ? 8 : 0;
    }
    right |= ::operator new(too_large, std::nothrow) == nullptr &&calls == 2 ? 16 : 0;
    right |= ::operator new[](too_large, std::align_val_t{64}, std::nothrow) == nullptr &&calls == 3 ? 32 : 0;
    std::set_new_handler(nullptr);
    return right;
}
