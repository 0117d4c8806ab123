/* SPDX-License-Identifier: MIT */
/* Child processes of tests: start, wait with a deadline, keep what they print.
 *
 * Used by the assertions that fork, by isolated tests, and by tests that run programs. */
#ifndef TESTS_HARNESS_PROCESS_H
#define TESTS_HARNESS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* After this many seconds a child is killed by SIGALRM. */
#define PROCESS_DEADLINE_SECONDS 600

/* Where this variable is set, process_run starts programs by the command in it, words apart by spaces: qemu-user emulates no start
 * of another program of the emulated processor. .bazelrc sets it. */
#define PROCESS_EMULATOR_VARIABLE "HAK_TEST_EMULATOR"

/* What one stream of a child held; longer output is cut, the child is not disturbed. */
struct process_text {
    char bytes[16384]; /* ends with 0 */
    size_t length;
};

struct process_result {
    bool exited; /* else: ended by a signal */
    int code;    /* exit status, or the signal's number */
    struct process_text output, errors;
};

/* A child that runs. */
struct process {
    pid_t pid;
    int output, errors; /* read ends of its streams */
};

/* Forks; 0 in the child, whose streams lead to *process, whose standard input is empty, which ends by itself
 * after the deadline, leaves no core dump and keeps out of the parent's XML report. In the parent the
 * child's number, or -1 with errno. */
pid_t process_fork(struct process *process);

/* Reads the child's streams to their end and waits for it. */
void process_finish(struct process *process, struct process_result *result);

/* Runs argv[0] to its end with the variables in `environment` ("A=1 B=2", may be NULL) set on top of this
 * process's own. false where it could not be started. */
bool process_run(char *const argv[], const char *environment, struct process_result *result);

#ifdef __cplusplus
}
#endif

#endif
