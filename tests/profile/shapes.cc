/* SPDX-License-Identifier: MIT */
/* Leaks of the shapes that C++ programs have, each once. The function that is to blame has its name in a comment, on the line that
 * allocates; then the program says "ready PID", and waits for the end of its input. The arguments are the plug-in, and how many blocks
 * are allocated and freed besides. */
#include <coroutine>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>
#include <unordered_map>
#include <vector>

#include "tests/profile/shapes.h"

#define SITE __attribute__((noinline))

namespace shapes {

template <typename T>
T *used(T *p) {
    __asm__ volatile("" : "+r"(p) : : "memory");
    return p;
}

void *volatile lost;

template <typename T, std::size_t N>
struct Buffer {
    T items[N];
};

template <typename T>
SITE void templated() {
    lost = used(new Buffer<T, 100>); /* line: templated */
}

std::map<int, std::string> *const tree = new std::map<int, std::string>;

SITE void map_insert(int key) {
    (*tree)[key] = "short"; /* line: map_insert */
    used(tree);
}

std::unordered_map<std::string, std::vector<char>> *const cache =
    new std::unordered_map<std::string, std::vector<char>>;

SITE std::string long_key(int key) {
    return "a key that is too long to be stored inside the string itself " + std::to_string(key);
}

SITE void cache_grows(int key) {
    (*cache)[long_key(key)].resize(777); /* line: cache_grows */
    used(cache);
}

SITE void throws_between(bool fails) {
    char *raw = used(new char[1234]); /* line: throws_between */
    if (fails) throw std::runtime_error("on purpose");
    delete[] raw;
}

SITE void exception_path() {
    try {
        throws_between(true); /* line: exception_path */
    } catch (const std::runtime_error &) {
        used(&lost);
    }
}

struct Task {
    struct promise_type {
        Task get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
        std::suspend_always initial_suspend() noexcept { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::abort(); }
    };
    std::coroutine_handle<promise_type> handle;
};

SITE Task coroutine(int steps) {
    char frame[3210];
    std::memset(used(frame), steps, sizeof frame);
    co_await std::suspend_always{};
    used(frame);
}

SITE void coroutine_abandoned() {
    coroutine(3).handle.resume(); /* line: coroutine_abandoned */
    used(&lost);
}

thread_local char *kept_by_thread;

SITE void thread_local_lost() {
    kept_by_thread = used(new char[4321]); /* line: thread_local_lost */
    used(&kept_by_thread);
}

struct Shape {
    virtual ~Shape() = default;
    virtual void draw() = 0;
};

struct Circle : Shape {
    SITE void draw() override { lost = used(new char[5432]); /* line: draw */ }
};

SITE void virtual_call(Shape &shape) {
    shape.draw(); /* line: virtual_call */
    used(&shape);
}

SITE void callback(const std::function<void(int)> &call) {
    call(7); /* line: callback */
    used(&call);
}

struct Global {
    SITE Global() { lost = used(new char[6543]); /* line: Global */ }
} global;

SITE void one_huge_block() { lost = used(std::malloc(std::size_t{50} << 20)); /* line: one_huge_block */ }

SITE void grown_by_realloc() {
    void *p = nullptr;
    for (std::size_t size = 1 << 10; size <= 1 << 20; size *= 2)
        p = used(std::realloc(p, size)); /* line: grown_by_realloc */
    lost = p;
}

struct alignas(256) Wide {
    char bytes[768];
};

SITE void aligned_new() { lost = used(new Wide); /* line: aligned_new */ }

SITE void in_the_c_library() {
    lost = used(strdup("a text of which the C library makes the copy, not this program")); /* line: in_the_c_library */
}

SITE void owned_by_a_cycle() {
    struct Node {
        std::shared_ptr<Node> other;
        char bytes[2222];
    };
    auto node = std::make_shared<Node>(); /* line: owned_by_a_cycle */
    node->other = node;
}

SITE void deep_recursion(int depth) {
    if (depth > 0) {
        deep_recursion(depth - 1);
    } else {
        lost = used(new char[2345]); /* line: deep_recursion */
    }
    used(&lost);
}

SITE void in_each_thread() {
    lost = used(new char[3456]); /* line: in_each_thread */
    used(&lost);
}

SITE void several_threads() {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++) threads.emplace_back([] { in_each_thread(); });
    for (std::thread &thread : threads) thread.join();
}

/* Blocks that are all freed again: work for whoever notes each. */
SITE void work(int rounds) {
    std::vector<char *> kept(1000);
    for (int i = 0; i < rounds; i++) {
        char *&slot = kept[static_cast<std::size_t>(i) * 7919 % kept.size()];
        delete[] slot;
        slot = used(new char[16 + static_cast<std::size_t>(i) * 104729 % 500]);
    }
    for (char *one : kept) delete[] one;
}

/* The most memory that the process had, of which the caller of a program learns that of a caller's copy. */
void say_peak() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        long kilobytes = 0;
        if (std::sscanf(line.c_str(), "VmHWM: %ld", &kilobytes) == 1) std::printf("peak %ld kB\n", kilobytes);
    }
}

SITE void make_all(const char *plugin) {
    templated<long>();
    for (int key = 0; key < 20; key++) map_insert(key);
    for (int key = 0; key < 20; key++) cache_grows(key);
    exception_path();
    coroutine_abandoned();
    std::thread([] { thread_local_lost(); }).join();
    Circle circle;
    virtual_call(circle);
    callback([](int times) {
        lost = used(new char[static_cast<std::size_t>(times) * 1000]); /* line: lambda */
    });
    one_huge_block();
    grown_by_realloc();
    aligned_new();
    in_the_c_library();
    owned_by_a_cycle();
    deep_recursion(50);
    several_threads();
    lost = shape_of_library(); /* line: make_all */
    void *handle = dlopen(plugin, RTLD_NOW);
    auto *const shape = handle == nullptr ? nullptr : reinterpret_cast<void *(*)()>(dlsym(handle, "shape_of_plugin"));
    if (shape == nullptr) std::abort();
    lost = used(shape());
}

} // namespace shapes

int main(int count, char **words) {
    if (count < 2 || count > 3) return 2;
    shapes::make_all(words[1]);
    if (count == 3) {
        shapes::work(std::atoi(words[2]));
        shapes::say_peak();
    }
    std::printf("ready %ld\n", static_cast<long>(getpid()));
    std::fflush(stdout);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    return 0;
}
