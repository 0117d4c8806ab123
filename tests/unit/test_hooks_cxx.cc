// SPDX-License-Identifier: MIT
// hak_profile_set_hooks from C++: a profiler that keeps the live samples in containers, which allocate by the allocator that it
// listens to.
#include <atomic>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "hakmem/hakmem.h"
#include "tests/harness/harness.h"
#include "tests/harness/threads.h"

namespace {

// Containers of a profiler: their blocks are hakmem's.
template <typename T>
struct allocator {
    using value_type = T;
    allocator() = default;
    template <typename U>
    explicit allocator(const allocator<U> &) {}
    T *allocate(std::size_t count) { return static_cast<T *>(hak_alloc(count * sizeof(T))); }
    void deallocate(T *p, std::size_t) { hak_free(p); }
    bool operator==(const allocator &) const { return true; }
    bool operator!=(const allocator &) const { return false; }
};

class profiler {
   public:
    profiler() {
        const hak_profile_hooks hooks = {
            [](const hak_profile_sample *sample, void *self) { static_cast<profiler *>(self)->add(*sample); },
            [](const hak_profile_sample *sample, void *self) { static_cast<profiler *>(self)->remove(*sample); }, this};
        HAK_EXPECT_EQ(hak_profile_set_hooks(&hooks), 0);
    }
    ~profiler() { HAK_EXPECT_EQ(hak_profile_set_hooks(nullptr), 0); }

    std::size_t live() {
        const std::lock_guard<std::mutex> guard(lock_);
        return live_.size();
    }
    std::uint64_t unknown() const { return unknown_; }
    std::uint64_t twice() const { return twice_; }

   private:
    void add(const hak_profile_sample &sample) {
        const std::lock_guard<std::mutex> guard(lock_);
        twice_ += !live_.emplace(sample.block, sample.block_size).second;
    }
    void remove(const hak_profile_sample &sample) {
        const std::lock_guard<std::mutex> guard(lock_);
        unknown_ += live_.erase(sample.block) == 0;
    }

    std::mutex lock_; // never held around an allocation of the program
    std::unordered_map<const void *, std::size_t, std::hash<const void *>, std::equal_to<const void *>,
                       allocator<std::pair<const void *const, std::size_t>>>
        live_;
    std::atomic<std::uint64_t> unknown_{0}, twice_{0};
};

void allocate(void *, unsigned index) {
    std::vector<void *, allocator<void *>> blocks;
    for (unsigned i = 0; i < HAK_TEST_SCALE(4000); i++) {
        blocks.push_back(hak_alloc(16 + (index * 7919 + i * 104729) % 40000));
        if (blocks.size() == 32) {
            for (void *block : blocks) hak_free(block);
            blocks.clear();
        }
    }
    for (void *block : blocks) hak_free(block);
}

} // namespace

// An address is never given out before the free of its block was told: else it would be told twice.
HAK_TEST(HooksCxx, EachThreadsBlocksAreToldOnceEachInOrder) {
    HAK_ASSERT_TRUE(hak_profile_start(512) == 0);
    {
        profiler own;
        void *kept = hak_alloc(100000);
        HAK_EXPECT_EQ(own.live(), 1);
        threads_run(4, allocate, nullptr);
        HAK_EXPECT_EQ(own.live(), 1);
        HAK_EXPECT_EQ(own.unknown(), 0);
        HAK_EXPECT_EQ(own.twice(), 0);
        hak_free(kept);
        HAK_EXPECT_EQ(own.live(), 0);
    }
    hak_profile_stop();
}
