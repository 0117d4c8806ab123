// SPDX-License-Identifier: MIT
// The bridge from tests written in C to GoogleTest: registration, main, reports of failures.
//
// The list of tests grows before main, in one thread. Reports come from any thread: GoogleTest takes them
// under a lock of its own.
#include "tests/harness/harness.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

namespace {

// Set in a process that exists for one isolated test.
constexpr char kIsolatedVariable[] = "HAK_HARNESS_ISOLATED";

harness_test *first_test;
harness_test **next_link = &first_test;

std::atomic<unsigned> failures{0};

// What the test itself printed: that lies between two lines of GoogleTest's.
void PassOn(const char *output) {
    const char *begin = strstr(output, "[ RUN      ]");
    begin = begin != nullptr ? strchr(begin, '\n') : nullptr;
    const char *end = begin != nullptr ? strstr(begin, "[       OK ]") : nullptr;
    if (end != nullptr) printf("%.*s", static_cast<int>(end - begin - 1), begin + 1);
}

// Runs the test in a new process of this program and hands on its failures, and what it printed.
void RunIsolated(const harness_test &test) {
    std::string filter = std::string("--gtest_filter=") + test.suite + "." + test.name;
    char program[] = "/proc/self/exe";
    char *argv[] = {program, filter.data(), nullptr};
    std::string environment = std::string(kIsolatedVariable) + "=1 " + test.environment;
    auto result = std::make_unique<process_result>();
    if (!process_run(argv, environment.c_str(), result.get())) {
        harness_fail(test.file, test.line, "cannot start a process for the test");
        return;
    }
    if (result->exited && result->code == 0) {
        if (strstr(result->output.bytes, "[  SKIPPED ]") != nullptr)
            harness_skip(test.file, test.line, result->output.bytes);
        PassOn(result->output.bytes);
        return;
    }
    harness_fail(test.file, test.line, "in its own process (%s %d), with %s:\n%s%s",
                 result->exited ? "exit status" : "signal", result->code, environment.c_str(), result->output.bytes,
                 result->errors.bytes);
}

class CTest : public testing::Test {
   public:
    explicit CTest(const harness_test *test) : test_(test) {}

    void TestBody() override {
        if (test_->environment != nullptr && getenv(kIsolatedVariable) == nullptr) {
            RunIsolated(*test_);
            return;
        }
        pid_t before = getpid();
        test_->body();
        if (getpid() == before) return;
        // A statement in a child process returned from the test: the rest is the parent's.
        fprintf(stderr, "the statement left its test\n");
        _exit(1);
    }

   private:
    const harness_test *test_;
};

const char *const kRelations[] = {"==", "!=", "<", "<=", ">", ">="};

bool Holds(harness_integer a, harness_relation relation, harness_integer b) {
    switch (relation) {
    case HARNESS_EQ: return a == b;
    case HARNESS_NE: return a != b;
    case HARNESS_LT: return a < b;
    case HARNESS_LE: return a <= b;
    case HARNESS_GT: return a > b;
    case HARNESS_GE: return a >= b;
    }
    return false;
}

std::string Decimal(harness_integer value) {
    return value < 0 ? std::to_string(static_cast<int64_t>(value)) : std::to_string(static_cast<uint64_t>(value));
}

} // namespace

extern "C" {

void harness_register(harness_test *test) {
    *next_link = test;
    next_link = &test->next;
}

unsigned harness_failure_count(void) { return failures.load(std::memory_order_relaxed); }

void harness_fail(const char *file, int line, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    std::string text(static_cast<size_t>(vsnprintf(nullptr, 0, format, arguments)), '\0');
    vsnprintf(text.data(), text.size() + 1, format, again);
    va_end(again);
    va_end(arguments);
    // Only a count: no other memory is published with it.
    failures.fetch_add(1, std::memory_order_relaxed);
    ADD_FAILURE_AT(file, line) << text;
}

void harness_skip(const char *file, int line, const char *reason) {
    GTEST_MESSAGE_AT_(file, line, reason, testing::TestPartResult::kSkip);
}

bool harness_check(bool condition, const char *file, int line, const char *text) {
    if (!condition) harness_fail(file, line, "Expected: %s", text);
    return condition;
}

bool harness_compare(harness_integer a, harness_relation relation, harness_integer b, const char *file, int line,
                     const char *a_text, const char *b_text) {
    bool holds = Holds(a, relation, b);
    if (!holds) {
        harness_fail(file, line, "Expected: %s %s %s\n  left:  %s\n  right: %s", a_text, kRelations[relation], b_text,
                     Decimal(a).c_str(), Decimal(b).c_str());
    }
    return holds;
}

bool harness_compare_pointers(const void *a, const void *b, const char *file, int line, const char *a_text,
                              const char *b_text) {
    if (a != b) harness_fail(file, line, "Expected: %s == %s\n  left:  %p\n  right: %p", a_text, b_text, a, b);
    return a == b;
}

bool harness_compare_strings(const char *a, const char *b, const char *file, int line, const char *a_text,
                             const char *b_text) {
    bool equal = a == nullptr || b == nullptr ? a == b : strcmp(a, b) == 0;
    if (!equal) {
        harness_fail(file, line, "Expected: %s equals %s\n  left:  %s\n  right: %s", a_text, b_text,
                     a != nullptr ? a : "(null)", b != nullptr ? b : "(null)");
    }
    return equal;
}

} // extern "C"

int main(int argc, char **argv) {
    testing::InitGoogleTest(&argc, argv);
    for (const harness_test *test = first_test; test != nullptr; test = test->next) {
        testing::RegisterTest(test->suite, test->name, nullptr, nullptr, test->file, test->line,
                              [test]() -> testing::Test * { return new CTest(test); });
    }
    return RUN_ALL_TESTS();
}
