/* SPDX-License-Identifier: MIT */
/* Child processes of tests; the contract stands in process.h. */
#define _GNU_SOURCE /* pipe2 */
#include "tests/harness/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Sets the variables in "A=1 B=2". */
static void set_environment(const char *environment) {
    char copy[1024];
    snprintf(copy, sizeof copy, "%s", environment);
    char *rest = NULL;
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        char *equals = strchr(word, '=');
        if (equals == NULL) continue;
        *equals = '\0';
        setenv(word, equals + 1, 1);
    }
}

static void become_child(int output, int errors) {
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(nothing, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    signal(SIGALRM, SIG_DFL);
    alarm(PROCESS_DEADLINE_SECONDS);
    static const char *const reports[] = {"XML_OUTPUT_FILE", "TEST_SHARD_INDEX", "TEST_TOTAL_SHARDS",
                                          "TEST_SHARD_STATUS_FILE"};
    for (size_t i = 0; i < sizeof reports / sizeof *reports; i++) unsetenv(reports[i]);
}

pid_t process_fork(struct process *process) {
    int ends[4];
    if (pipe2(ends, O_CLOEXEC) != 0) return -1;
    if (pipe2(ends + 2, O_CLOEXEC) != 0) {
        close(ends[0]);
        close(ends[1]);
        return -1;
    }
    fflush(NULL);
    process->pid = fork();
    if (process->pid == 0) {
        become_child(ends[1], ends[3]);
        return 0;
    }
    close(ends[1]);
    close(ends[3]);
    process->output = ends[0];
    process->errors = ends[2];
    if (process->pid < 0) {
        close(ends[0]);
        close(ends[2]);
    }
    return process->pid;
}

/* Takes what can be read now; false at the end of the stream. */
static bool read_some(int descriptor, struct process_text *text) {
    char spill[4096];
    size_t room = sizeof text->bytes - 1 - text->length;
    ssize_t got =
        room != 0 ? read(descriptor, text->bytes + text->length, room) : read(descriptor, spill, sizeof spill);
    if (got < 0 && errno == EINTR) return true;
    if (got <= 0) return false;
    if (room != 0) text->length += (size_t)got;
    text->bytes[text->length] = '\0';
    return true;
}

/* Reads both streams as they come: a child that fills one pipe must not wait for the other. */
static void read_both(const struct process *process, struct process_result *result) {
    struct pollfd streams[2] = {{process->output, POLLIN, 0}, {process->errors, POLLIN, 0}};
    struct process_text *texts[2] = {&result->output, &result->errors};
    int open_streams = 2;
    while (open_streams != 0 && (poll(streams, 2, -1) >= 0 || errno == EINTR)) {
        for (int i = 0; i < 2; i++) {
            if (streams[i].fd < 0 || streams[i].revents == 0) continue;
            if (read_some(streams[i].fd, texts[i])) continue;
            close(streams[i].fd);
            streams[i].fd = -1; /* poll passes over it */
            streams[i].revents = 0;
            open_streams--;
        }
    }
}

void process_finish(struct process *process, struct process_result *result) {
    memset(result, 0, sizeof *result);
    read_both(process, result);
    int status = 0;
    while (waitpid(process->pid, &status, 0) < 0 && errno == EINTR) {
    }
    result->exited = WIFEXITED(status);
    result->code = result->exited ? WEXITSTATUS(status) : WTERMSIG(status);
}

#define EMULATOR_WORDS_MAX 8

/* Starts the program; returns where that fails. */
static void execute(char *const argv[]) {
    char *command[64], words[1024], program[1024];
    const char *emulator = getenv(PROCESS_EMULATOR_VARIABLE);
    if (emulator == NULL) {
        execv(argv[0], argv);
        return;
    }
    size_t count = 0;
    snprintf(words, sizeof words, "%s", emulator);
    char *rest = NULL;
    for (char *word = strtok_r(words, " ", &rest); word != NULL && count < EMULATOR_WORDS_MAX;
         word = strtok_r(NULL, " ", &rest)) {
        command[count++] = word;
    }
    /* In the emulator /proc/self/exe would be the emulator. */
    const ssize_t length = readlink(argv[0], program, sizeof program - 1);
    program[length < 0 ? 0 : length] = '\0';
    command[count++] = length < 0 ? argv[0] : program;
    for (size_t i = 1; argv[i] != NULL && count < sizeof command / sizeof *command - 1; i++) {
        command[count++] = argv[i];
    }
    command[count] = NULL;
    execv(command[0], command);
}

bool process_run(char *const argv[], const char *environment, struct process_result *result) {
    struct process process;
    pid_t pid = process_fork(&process);
    if (pid < 0) return false;
    if (pid == 0) {
        if (environment != NULL) set_environment(environment);
        execute(argv);
        dprintf(STDERR_FILENO, "cannot run %s: %s\n", argv[0], strerror(errno));
        _exit(127);
    }
    process_finish(&process, result);
    return true;
}
