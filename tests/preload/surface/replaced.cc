// SPDX-License-Identifier: MIT
// A program with an operator new and delete of its own, the plain ones only: all other forms must go there, as the
// standard says, or its delete would get blocks that its new never gave.
#include <cstdlib>
#include <new>

#include "tests/preload/surface/check.h"

namespace {

int live;

// A block that looks like no other: its start is not what malloc gave.
constexpr size_t kHeader = 64;
constexpr unsigned kMark = 0xfeedbeef;

void *give(size_t size) {
    auto *block = static_cast<char *>(std::malloc(size + kHeader));
    if (block == nullptr) {
        throw std::bad_alloc();
    }
    *reinterpret_cast<unsigned *>(block) = kMark;
    live++;
    return block + kHeader;
}

void take(void *p) {
    if (p == nullptr) {
        return;
    }
    char *block = static_cast<char *>(p) - kHeader;
    CHECK(*reinterpret_cast<unsigned *>(block) == kMark);
    live--;
    std::free(block);
}

} // namespace

void *operator new(size_t size) { return give(size); }

void operator delete(void *p) noexcept { take(p); }

#define CHECK_PAIR(given, taken)       \
    do {                               \
        const int before = live;       \
        void *p = check_opaque(given); \
        CHECK(p &&live == before + 1); \
        taken;                         \
        CHECK(live == before);         \
    } while (0)

int main() {
    CHECK_PAIR(::operator new(100), ::operator delete(p));
    CHECK_PAIR(::operator new(100), ::operator delete (p, size_t{100}));
    CHECK_PAIR(::operator new(100, std::nothrow), ::operator delete(p));
    CHECK_PAIR(::operator new(100, std::nothrow), ::operator delete(p, std::nothrow));
    CHECK_PAIR(::operator new[](100), ::operator delete[](p));
    CHECK_PAIR(::operator new[](100), ::operator delete[](p, size_t{100}));
    CHECK_PAIR(::operator new[](100, std::nothrow), ::operator delete[](p));
    CHECK_PAIR(::operator new[](100, std::nothrow), ::operator delete[](p, std::nothrow));
    CHECK(::operator new(reinterpret_cast<size_t>(check_opaque(reinterpret_cast<void *>(~0UL >> 1))), std::nothrow) ==
          nullptr);
    return check_done();
}
