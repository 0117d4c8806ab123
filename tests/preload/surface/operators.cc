// SPDX-License-Identifier: MIT
// operator new and delete in every form: blocks, alignment, what happens where there is no memory.
#include <malloc.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "tests/preload/surface/check.h"
#include "tests/preload/surface/sizes.h"

namespace {

bool is_usable(void *p, size_t size, size_t alignment) {
    if (p == nullptr || reinterpret_cast<uintptr_t>(p) % alignment != 0 || malloc_usable_size(p) < size) {
        return false;
    }
    memset(p, 0x5c, size);
    return true;
}

void check_plain_forms(size_t size) {
    const size_t alignment = size >= 16 ? 16 : 8;
    void *blocks[8];
    for (int i = 0; i < 8; i += 4) {
        blocks[i] = check_opaque(::operator new(size));
        blocks[i + 1] = check_opaque(::operator new[](size));
        blocks[i + 2] = check_opaque(::operator new(size, std::nothrow));
        blocks[i + 3] = check_opaque(::operator new[](size, std::nothrow));
    }
    for (void *block : blocks) {
        CHECK(is_usable(block, size, alignment));
    }
    ::operator delete(blocks[0]);
    ::operator delete[](blocks[1]);
    ::operator delete(blocks[2], std::nothrow);
    ::operator delete[](blocks[3], std::nothrow);
    ::operator delete(blocks[4], size);
    ::operator delete[](blocks[5], size);
    ::operator delete(blocks[6]);
    ::operator delete[](blocks[7]);
}

void check_aligned_forms(size_t size, size_t bytes) {
    const auto alignment = static_cast<std::align_val_t>(bytes);
    void *blocks[8];
    for (int i = 0; i < 8; i += 4) {
        blocks[i] = check_opaque(::operator new(size, alignment));
        blocks[i + 1] = check_opaque(::operator new[](size, alignment));
        blocks[i + 2] = check_opaque(::operator new(size, alignment, std::nothrow));
        blocks[i + 3] = check_opaque(::operator new[](size, alignment, std::nothrow));
    }
    for (void *block : blocks) {
        CHECK(is_usable(block, size, bytes));
    }
    ::operator delete(blocks[0], alignment);
    ::operator delete[](blocks[1], alignment);
    ::operator delete(blocks[2], alignment, std::nothrow);
    ::operator delete[](blocks[3], alignment, std::nothrow);
    ::operator delete(blocks[4], size, alignment);
    ::operator delete[](blocks[5], size, alignment);
    ::operator delete(blocks[6], alignment);
    ::operator delete[](blocks[7], alignment);
}

void check_null() {
    ::operator delete(nullptr);
    ::operator delete[](nullptr);
    ::operator delete (nullptr, size_t{10});
    ::operator delete (nullptr, std::align_val_t{64});
    ::operator delete[](nullptr, size_t{10}, std::align_val_t{64});
}

template <typename Allocate>
bool throws_bad_alloc(Allocate allocate) {
    try {
        check_opaque(allocate());
    } catch (const std::bad_alloc &) {
        return true;
    }
    return false;
}

// A number that the compiler cannot reason about.
size_t opaque(uintptr_t number) { return reinterpret_cast<size_t>(check_opaque(reinterpret_cast<void *>(number))); }

// Sizes that no machine has, and alignments that are none.
void check_no_memory() {
    for (uintptr_t bytes : {uintptr_t{PTRDIFF_MAX} + 1, uintptr_t{SIZE_MAX}}) {
        const size_t size = opaque(bytes);
        const auto alignment = std::align_val_t{64};
        CHECK(throws_bad_alloc([=] { return ::operator new(size); }));
        CHECK(throws_bad_alloc([=] { return ::operator new[](size); }));
        CHECK(throws_bad_alloc([=] { return ::operator new(size, alignment); }));
        CHECK(throws_bad_alloc([=] { return ::operator new[](size, alignment); }));
        CHECK(::operator new(size, std::nothrow) == nullptr);
        CHECK(::operator new[](size, std::nothrow) == nullptr);
        CHECK(::operator new(size, alignment, std::nothrow) == nullptr);
        CHECK(::operator new[](size, alignment, std::nothrow) == nullptr);
    }
    for (uintptr_t bytes : {uintptr_t{0}, uintptr_t{24}}) {
        const auto alignment = static_cast<std::align_val_t>(opaque(bytes));
        CHECK(throws_bad_alloc([=] { return ::operator new(10, alignment); }));
        CHECK(throws_bad_alloc([=] { return ::operator new[](10, alignment); }));
        CHECK(::operator new(10, alignment, std::nothrow) == nullptr);
        CHECK(::operator new[](10, alignment, std::nothrow) == nullptr);
    }
}

struct alignas(256) Wide {
    char bytes[300];
};

struct Thrower {
    char bytes[100];
    Thrower() { throw 1; }
};

void check_language() {
    auto wide = std::make_unique<Wide>();
    CHECK(reinterpret_cast<uintptr_t>(wide.get()) % 256 == 0);
    std::vector<std::string> strings;
    for (int i = 0; i < 20000; i++) {
        strings.push_back(std::string(static_cast<size_t>(i % 300), 'x'));
    }
    CHECK(strings[299].size() == 299);
    int caught = 0;
    try {
        delete new Thrower;
    } catch (int) {
        caught++;
    }
    try {
        delete new (std::nothrow) Thrower;
    } catch (int) {
        caught++;
    }
    try {
        std::vector<char>().resize(static_cast<size_t>(PTRDIFF_MAX));
    } catch (const std::bad_alloc &) {
        caught++;
    }
    CHECK(caught == 3);
}

} // namespace

int main() {
    for (size_t size : sizes) {
        check_plain_forms(size);
        for (size_t alignment = 1; alignment <= size_t{1} << 20; alignment *= 4) {
            check_aligned_forms(size, alignment);
        }
    }
    check_null();
    check_no_memory();
    check_language();
    return check_done();
}
