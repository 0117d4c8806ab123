// SPDX-License-Identifier: MIT
// The new handler: called while there is no memory, by every form; what it does decides.
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <new>

#include "tests/preload/surface/check.h"

namespace {

constexpr size_t kSize = size_t{512} << 20;

int calls;
rlim_t unlimited;

void limit_address_space(rlim_t bytes) {
    rlimit limit;
    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = bytes;
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
}

// What the process has now and a little more: kSize finds no room. The first limit has the allocator give up what it only
// reserved, or there would be room for that.
void limit_to_the_present() {
    size_t pages = 0;
    limit_address_space(rlim_t{4} << 30);
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != nullptr && fscanf(file, "%zu", &pages) == 1);
    fclose(file);
    limit_address_space(pages * static_cast<size_t>(sysconf(_SC_PAGESIZE)) + kSize / 4);
}

void make_room_at_the_third_call() {
    if (++calls == 3) {
        limit_address_space(unlimited);
    }
}

void give_up() {
    calls++;
    std::set_new_handler(nullptr);
}

struct Refusal {};

void refuse_with_bad_alloc() {
    calls++;
    throw std::bad_alloc();
}

void refuse_with_something_else() {
    calls++;
    throw Refusal();
}

enum Outcome { kBlock, kNull, kBadAlloc, kRefusal };

// One form of new with a handler; frees what it gave.
template <typename Allocate>
Outcome outcome_of(Allocate allocate, std::new_handler handler) {
    calls = 0;
    std::set_new_handler(handler);
    limit_to_the_present();
    Outcome outcome = kNull;
    try {
        void *p = check_opaque(allocate());
        if (p != nullptr) {
            outcome = kBlock;
            ::operator delete(p);
        }
    } catch (const std::bad_alloc &) {
        outcome = kBadAlloc;
    } catch (const Refusal &) {
        outcome = kRefusal;
    }
    limit_address_space(unlimited);
    std::set_new_handler(nullptr);
    malloc_trim(0); // or the next call finds the block of this one
    return outcome;
}

template <typename Allocate>
void check_throwing(Allocate allocate) {
    CHECK(outcome_of(allocate, nullptr) == kBadAlloc && calls == 0);
    CHECK(outcome_of(allocate, make_room_at_the_third_call) == kBlock && calls == 3);
    CHECK(outcome_of(allocate, give_up) == kBadAlloc && calls == 1);
    CHECK(outcome_of(allocate, refuse_with_bad_alloc) == kBadAlloc && calls == 1);
    CHECK(outcome_of(allocate, refuse_with_something_else) == kRefusal && calls == 1);
}

template <typename Allocate>
void check_nothrow(Allocate allocate) {
    CHECK(outcome_of(allocate, nullptr) == kNull && calls == 0);
    CHECK(outcome_of(allocate, make_room_at_the_third_call) == kBlock && calls == 3);
    CHECK(outcome_of(allocate, give_up) == kNull && calls == 1);
    CHECK(outcome_of(allocate, refuse_with_bad_alloc) == kNull && calls == 1);
    CHECK(outcome_of(allocate, refuse_with_something_else) == kNull && calls == 1);
}

} // namespace

int main() {
    rlimit limit;
    getrlimit(RLIMIT_AS, &limit);
    unlimited = limit.rlim_cur;
    constexpr auto alignment = std::align_val_t{4096};
    check_throwing([] { return ::operator new(kSize); });
    check_throwing([] { return ::operator new[](kSize); });
    check_throwing([] { return ::operator new(kSize, alignment); });
    check_throwing([] { return ::operator new[](kSize, alignment); });
    check_nothrow([] { return ::operator new(kSize, std::nothrow); });
    check_nothrow([] { return ::operator new[](kSize, std::nothrow); });
    check_nothrow([] { return ::operator new(kSize, alignment, std::nothrow); });
    check_nothrow([] { return ::operator new[](kSize, alignment, std::nothrow); });
    return check_done();
}
