/* SPDX-License-Identifier: MIT */
/* Ends of a program that run no destructors: _exit, and exec. The trace is written out first.
 *
 * libc's exit, abort, system and posix_spawn need no wrapper: exit runs the recorder's destructor, a signal that
 * kills the process leaves what was written before it, and spawned processes do not share the trace. */
#include "bench/trace/recorder.h"
#include "bench/trace/recorder_next.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

extern char **environ;

RECORDER_API _Noreturn void _exit(int status) {
    recorder_close(TRACE_END_EXIT);
    void (*next)(int);
    *(void **)&next = next_function("_exit");
    next(status);
    __builtin_unreachable();
}

RECORDER_API _Noreturn void _Exit(int status) { _exit(status); }

/* Closes the trace, calls, and goes on with it where the call comes back. */
#define EXEC(type, name, ...)                      \
    type next;                                     \
    *(void **)&next = next_function(name);         \
    bool closed = recorder_close(TRACE_END_EXEC);  \
    int result = next(__VA_ARGS__), error = errno; \
    if (closed) {                                  \
        recorder_reopen();                         \
    }                                              \
    errno = error;                                 \
    return result

typedef int exec_path(const char *, char *const[]);
typedef int exec_path_environment(const char *, char *const[], char *const[]);
typedef int exec_file(int, char *const[], char *const[]);
typedef int exec_at(int, const char *, char *const[], char *const[], int);

RECORDER_API int execv(const char *path, char *const arguments[]) { EXEC(exec_path *, "execv", path, arguments); }

RECORDER_API int execvp(const char *file, char *const arguments[]) { EXEC(exec_path *, "execvp", file, arguments); }

RECORDER_API int execve(const char *path, char *const arguments[], char *const environment[]) {
    EXEC(exec_path_environment *, "execve", path, arguments, environment);
}

RECORDER_API int execvpe(const char *file, char *const arguments[], char *const environment[]) {
    EXEC(exec_path_environment *, "execvpe", file, arguments, environment);
}

RECORDER_API int fexecve(int file, char *const arguments[], char *const environment[]) {
    EXEC(exec_file *, "fexecve", file, arguments, environment);
}

RECORDER_API int execveat(int folder, const char *path, char *const arguments[], char *const environment[], int flags) {
    EXEC(exec_at *, "execveat", folder, path, arguments, environment, flags);
}

/* The forms with the arguments as a list: `first` and what follows it in `list`, to the NULL. */
static size_t count_arguments(const char *first, va_list *list) {
    size_t count = 1;
    for (const char *argument = first; argument != NULL; argument = va_arg(*list, const char *)) {
        count++;
    }
    return count;
}

static void store_arguments(char **vector, const char *first, va_list *list) {
    vector[0] = (char *)first;
    for (size_t i = 0; vector[i] != NULL; i++) {
        vector[i + 1] = va_arg(*list, char *);
    }
}

/* A vector on this function's own stack: between fork and exec a program may not allocate. */
#define VECTOR(vector, first)                    \
    va_list list;                                \
    va_start(list, first);                       \
    char *vector[count_arguments(first, &list)]; \
    va_end(list);                                \
    va_start(list, first);                       \
    store_arguments(vector, first, &list)

RECORDER_API int execl(const char *path, const char *first, ...) {
    VECTOR(vector, first);
    va_end(list);
    return execve(path, vector, environ);
}

RECORDER_API int execlp(const char *file, const char *first, ...) {
    VECTOR(vector, first);
    va_end(list);
    return execvp(file, vector);
}

RECORDER_API int execle(const char *path, const char *first, ...) {
    VECTOR(vector, first);
    char *const *environment = va_arg(list, char *const *);
    va_end(list);
    return execve(path, vector, environment);
}
