// SPDX-License-Identifier: MIT
// Threads, fork, exceptions and the runtime's start and end, all of which reach libc's inner parts.
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/preload/surface/check.h"

namespace {

void churn(int rounds) {
    std::vector<std::string> kept(100);
    for (int i = 0; i < rounds; i++) {
        kept[static_cast<size_t>(i) % kept.size()] = std::string(static_cast<size_t>(i * 37 % 5000), 'a');
    }
}

int throw_and_catch() {
    try {
        throw std::runtime_error(std::string(500, 'e'));
    } catch (const std::exception &error) {
        return static_cast<int>(std::string(error.what()).size());
    }
}

bool child_succeeds() {
    const pid_t child = fork();
    if (child == 0) {
        churn(1000);
        std::thread inner(churn, 1000);
        inner.join();
        _exit(throw_and_catch() == 500 ? 0 : 1);
    }
    int status = -1;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

} // namespace

int main() {
    CHECK(throw_and_catch() == 500);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++) {
        threads.emplace_back(churn, 20000);
    }
    for (int i = 0; i < 20; i++) {
        CHECK(child_succeeds());
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    CHECK(child_succeeds());
    return check_done();
}
