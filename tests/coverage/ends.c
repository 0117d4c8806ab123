/* SPDX-License-Identifier: MIT */
/* What a process has reached is written down also where it ends by _exit, abort or raise, as children of tests do, in a
 * copy of the process that looks for lost blocks, and after all destructors, when the allocator's end comes. coverage.py alone links this, with the linker's --wrap. A child that a signal from
 * outside ends still writes nothing. */
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>

/* libgcov's, as is __gcov_exit. What was written once is not written again until it is reset. */
void __gcov_dump(void);
void __gcov_reset(void);
void __wrap___gcov_exit(void);

_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);
_Noreturn void __real_abort(void);
_Noreturn void __wrap_abort(void);
int __real_raise(int number);
int __wrap_raise(int number);
bool __real_hak_os_call_last(void (*run)(void *argument));
bool __wrap_hak_os_call_last(void (*run)(void *argument));

_Noreturn void __real_hak_os_copy_end(void);
_Noreturn void __wrap_hak_os_copy_end(void);

static void (*ends_last)(void *argument);

/* Tests set limits that the counters' files must not fail by: a write above the limit of files even ends the process. */
static void ends_lift_limits(void) {
    static const int limits[] = {RLIMIT_AS, RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_NOFILE};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct rlimit limit;
        if (getrlimit(limits[i], &limit) == 0) {
            limit.rlim_cur = limit.rlim_max;
            (void)setrlimit(limits[i], &limit);
        }
    }
}

static void ends_write_down(void) {
    __gcov_dump();
    __gcov_reset();
}

/* Each object calls it, after the destructors of all others. libgcov's own would write once and forget the counters, before the
 * allocator's end comes. */
void __wrap___gcov_exit(void) {
    static bool is_written;
    if (!is_written) {
        is_written = true;
        ends_lift_limits();
        ends_write_down();
    }
}

void __wrap__exit(int status) {
    ends_lift_limits();
    ends_write_down();
    __real__exit(status);
}

void __wrap_abort(void) {
    ends_lift_limits();
    ends_write_down();
    __real_abort();
}

int __wrap_raise(int number) {
    struct sigaction action;
    if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_DFL) {
        ends_write_down();
    }
    return __real_raise(number);
}

void __wrap_hak_os_copy_end(void) {
    ends_write_down();
    __real_hak_os_copy_end();
}

static void ends_run_last(void *argument) {
    ends_write_down();
    ends_last(argument);
    ends_write_down();
}

bool __wrap_hak_os_call_last(void (*run)(void *argument)) {
    ends_last = run;
    return __real_hak_os_call_last(ends_run_last);
}
