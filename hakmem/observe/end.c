/* SPDX-License-Identifier: MIT */
/* See end.h. What handlers of exit and destructors free is counted.
 *
 * A process that _exit ends writes nothing, nor does one that a signal ends, but for HAKMEM_DUMP_SIGNAL. Children that end
 * by exit write too; %p tells them apart. */
#include "hakmem/observe/end.h"

#include <errno.h>
#include <signal.h>

#include "hakmem/base/compiler.h"
#include "hakmem/base/options.h"
#include "hakmem/base/text.h"
#include "hakmem/base/warning.h"
#include "hakmem/hakmem.h"
#include "hakmem/observe/leaks.h"
#include "hakmem/observe/write.h"
#include "hakmem/os/os.h"
#include "hakmem/process/fork.h"
#include "hakmem/sample/profile.h"

static uint32_t end_process; /* the process that was started with the options; a fork makes another */

/* By who ends the process, once: a signal handler may, on a stack of its own of 8 KiB, and these take three times as much. */
static struct stats_room end_room;
static char end_stats_path[HAK_PATH_BYTES + 32];

static bool end_writes_profile(void) { return hak_options.profile[0] != '\0'; }

static bool end_writes_stats(void) { return hak_options.stats != HAK_STATS_AT_EXIT_NONE; }

/* `path` with the process's number for each %p. Result: whether it has one; `out` is cut where it is too long */
static bool end_expand(const char *path, struct hak_text *out) {
    bool has_process = false;
    for (const char *from = path; *from != '\0'; from++) {
        if (from[0] == '%' && from[1] == 'p') {
            hak_text_add_decimal(out, hak_os_process_id());
            has_process = true;
            from++;
        } else {
            hak_text_add_bytes(out, from, 1);
        }
    }
    return has_process;
}

/* error_file: where standard error is, or was; negative: nowhere, and nothing is written there */
static int end_write_stats(int error_file) {
    const enum hak_stats_format format = (enum hak_stats_format)(hak_options.stats - HAK_STATS_AT_EXIT_TEXT);
    if (hak_options.stats_path[0] == '\0') {
        return error_file < 0 ? 0 : hak_stats_write_in(&end_room, error_file, format);
    }
    struct hak_text path = text_memory(end_stats_path, sizeof end_stats_path);
    (void)end_expand(hak_options.stats_path, &path);
    int file, error = path.error != 0 ? ENAMETOOLONG : hak_os_file_create(hak_text_string(&path), &file);
    if (error == 0) {
        error = hak_stats_write_in(&end_room, file, format);
        const int close_error = hak_os_file_close(file);
        error = error != 0 ? error : close_error;
    }
    return error;
}

/* A child that goes on without an exec has the parent's counts too; it writes where that overwrites nothing. */
static int end_write_profile(void) {
    char bytes[HAK_PATH_BYTES + 32];
    struct hak_text path = text_memory(bytes, sizeof bytes);
    if (!end_expand(hak_options.profile, &path) && hak_os_process_id() != end_process) {
        return 0;
    }
    return path.error != 0 ? ENAMETOOLONG : hak_profile_write(hak_text_string(&path));
}

static void end_report(int error, int error_file, const char *what, const char *path) {
    if (error != 0) {
        hak_report_warning_to(error_file, what, path, hak_os_file_problem(error));
    }
}

/* exit may have been called by a handler that interrupted this thread while it held a lock, such as that of huge blocks while
 * their pages move: a reading would wait for it for ever. For an exchange that was interrupted it waits some milliseconds. */
static void end_observe_stats(int error_file) {
    if (hak_fork_would_wait()) {
        hak_report_warning_to(
            error_file, "no statistics: a signal handler ended the process in the middle of an allocation", NULL, NULL);
        return;
    }
    end_report(end_write_stats(error_file), error_file, "the statistics of HAKMEM_STATS could not be written",
               hak_options.stats_path);
}

static void end_write_leaks_and_profile(int error_file, bool finds_lost) {
    const struct hak_profile_table *table = hak_profile_table();
    if (table != NULL && hak_options.leaks && error_file >= 0 && hak_os_process_id() == end_process) {
        hak_leaks_report(table, finds_lost, error_file);
    }
    if (table != NULL && end_writes_profile()) {
        end_report(end_write_profile(), error_file, "the profile could not be written", hak_options.profile);
    }
}

/* The signal is blocked while this runs, and has its default effect again: raised, it ends the process on return. Nothing
 * here waits for the interrupted thread; statistics would, if it is in an exchange, and so would the search for lost blocks. */
static void end_by_signal(int number) {
    const int saved_errno = errno;
    end_write_leaks_and_profile(hak_os_error_kept(), false);
    errno = saved_errno;
    (void)raise(number);
}

static void end_catch_signal(void) {
    struct sigaction action = {.sa_handler = end_by_signal, .sa_flags = (int)SA_RESETHAND}, before;
    /* Who started the program may have had it ignored, as nohup does. */
    if (sigaction(hak_options.dump_signal, NULL, &before) == 0 && before.sa_handler == SIG_DFL) {
        (void)sigaction(hak_options.dump_signal, &action, NULL);
    }
}

void hak_observe_end_init(void) {
    const bool stats_to_error = end_writes_stats() && hak_options.stats_path[0] == '\0';
    end_process = hak_os_process_id();
    if (end_writes_stats() || end_writes_profile() || hak_options.leaks || hak_options.publish) {
        hak_os_error_keep(stats_to_error || hak_options.leaks);
    }
    if (hak_options.dump_signal != 0 && (end_writes_profile() || hak_options.leaks)) {
        end_catch_signal();
    }
}

/* Not in a handler that interrupted the allocator, since a search waits for locks that this thread would hold, nor on a
 * handler's own stack, which may be of a few KiB. */
static bool end_may_search(void) {
    stack_t stack;
    return !hak_fork_would_interrupt() && (sigaltstack(NULL, &stack) != 0 || (stack.ss_flags & SS_ONSTACK) == 0);
}

void hak_observe_end(void) {
    const int error_file = hak_os_error_kept();
    if (end_writes_stats()) {
        end_observe_stats(error_file);
    }
    end_write_leaks_and_profile(error_file, hak_options.leaks && end_may_search());
}
