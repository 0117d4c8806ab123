// SPDX-License-Identifier: MIT
// Every form of C++'s operators, for the recorder's tests: two blocks of MARK bytes by malloc, between them the calls.
// With an argument it asks for too much before that, and ends with status 1 where that does not go as the standard
// says.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

// clang has these on demand only.
void operator delete(void *p, std::size_t size) noexcept;
void operator delete[](void *p, std::size_t size) noexcept;
void operator delete(void *p, std::size_t size, std::align_val_t alignment) noexcept;
void operator delete[](void *p, std::size_t size, std::align_val_t alignment) noexcept;

namespace {

constexpr std::size_t kMark = 1234567;
constexpr std::align_val_t kAlignment{64};

void *volatile kept;

void *keep(void *p) {
    kept = p;
    return kept;
}

void mark() { std::free(keep(std::malloc(kMark))); }

void plain() {
    operator delete(keep(operator new(10)));
    operator delete[](keep(operator new[](11)));
    operator delete (keep(operator new(12)), std::size_t{12});
    operator delete[](keep(operator new[](13)), std::size_t{13});
    operator delete(keep(operator new(14, std::nothrow)), std::nothrow);
    operator delete[](keep(operator new[](15, std::nothrow)), std::nothrow);
}

void aligned() {
    operator delete(keep(operator new(20, kAlignment)), kAlignment);
    operator delete[](keep(operator new[](21, kAlignment)), kAlignment);
    operator delete (keep(operator new(22, kAlignment)), std::size_t{22}, kAlignment);
    operator delete[](keep(operator new[](23, kAlignment)), std::size_t{23}, kAlignment);
    operator delete(keep(operator new(24, kAlignment, std::nothrow)), kAlignment, std::nothrow);
    operator delete[](keep(operator new[](25, kAlignment, std::nothrow)), kAlignment, std::nothrow);
}

// Called until the allocation gives up.
int handled;

void handler() {
    if (++handled == 3) {
        std::set_new_handler(nullptr);
    }
}

bool failing() {
    volatile std::size_t too_much = SIZE_MAX / 4;
    std::set_new_handler(handler);
    try {
        keep(operator new(too_much));
        return false;
    } catch (const std::bad_alloc &) {
    }
    return handled == 3 && keep(operator new(too_much, std::nothrow)) == nullptr;
}

} // namespace

int main(int argc, char **) {
    bool sound = argc < 2 || failing();
    mark();
    plain();
    aligned();
    mark();
    return sound ? EXIT_SUCCESS : EXIT_FAILURE;
}
