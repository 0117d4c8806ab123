// SPDX-License-Identifier: MIT
// The assertions that run a statement in a forked child, where only the calling thread goes on.
#include <regex.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "tests/harness/harness.h"

namespace {

bool Matches(const char *said, const char *regex, const char *file, int line) {
    regex_t compiled;
    if (regcomp(&compiled, regex, REG_EXTENDED | REG_NOSUB) != 0) {
        harness_fail(file, line, "not a regular expression: %s", regex);
        return true;
    }
    bool matches = regexec(&compiled, said, 0, nullptr, 0) == 0;
    regfree(&compiled);
    return matches;
}

// What is wrong with the child's end; empty where nothing is.
std::string Fault(const process_result &result, const char *regex, const char *file, int line) {
    bool success = result.exited && result.code == 0;
    if (regex == nullptr) return success ? "" : "ends with status 0";
    if (success) return "dies";
    if (Matches(result.errors.bytes, regex, file, line)) return "";
    return std::string("dies with a message that matches \"") + regex + "\"";
}

} // namespace

extern "C" {

bool harness_child_fork(harness_child *child, const char *file, int line) {
    child->failures = harness_failure_count();
    pid_t pid = process_fork(&child->process);
    if (pid < 0) harness_fail(file, line, "no child process: %s", strerror(errno));
    return pid == 0;
}

void harness_child_end(const harness_child *child) {
    fflush(nullptr);
    _exit(harness_failure_count() == child->failures ? 0 : 1);
}

void harness_child_judge(harness_child *child, const char *regex, const char *file, int line, const char *text) {
    if (child->process.pid < 0) return;
    auto result = std::make_unique<process_result>();
    process_finish(&child->process, result.get());
    std::string fault = Fault(*result, regex, file, line);
    if (fault.empty()) return;
    harness_fail(file, line, "Expected: %s %s\n  %s %d, it said:\n%s%s", text, fault.c_str(),
                 result->exited ? "exit status" : "signal", result->code, result->output.bytes, result->errors.bytes);
}

} // extern "C"
