// SPDX-License-Identifier: MIT
// A test with GoogleTest, for a compiler to compile: templates of the library and of containers.
#include <algorithm>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "gtest/gtest.h"

TEST(Containers, MapCountsWords) {
    std::map<std::string, int> counts;
    for (const std::string word : {"a", "b", "a", "c", "a"}) {
        ++counts[word];
    }
    EXPECT_EQ(counts["a"], 3);
    EXPECT_EQ(counts.size(), 3u);
}

TEST(Containers, VectorSorts) {
    std::vector<int> numbers(10000);
    std::iota(numbers.rbegin(), numbers.rend(), 0);
    std::sort(numbers.begin(), numbers.end());
    EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
    EXPECT_EQ(numbers.front(), 0);
}

class Pointers : public ::testing::TestWithParam<int> {};

TEST_P(Pointers, OwnWhatTheyHold) {
    auto shared = std::make_shared<std::string>(static_cast<size_t>(GetParam()), 'x');
    std::weak_ptr<std::string> weak = shared;
    EXPECT_EQ(weak.lock()->size(), 1000u);
    shared.reset();
    EXPECT_TRUE(weak.expired());
}

INSTANTIATE_TEST_SUITE_P(Sizes, Pointers, ::testing::Values(1000));
