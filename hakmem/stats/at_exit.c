/* SPDX-License-Identifier: MIT */
/* See at_exit.h. The destructor runs last: what the program's own handlers and destructors free is counted.
 *
 * A process that a signal ends, or _exit, writes nothing. Children that end by exit write too; %p tells them apart. */
#include "hakmem/stats/at_exit.h"

#include <errno.h>

#include "hakmem/base/compiler.h"
#include "hakmem/base/options.h"
#include "hakmem/base/warning.h"
#include "hakmem/hakmem.h"
#include "hakmem/os/os.h"
#include "hakmem/stats/sink.h"

void hak_stats_at_exit_init(void) {
    if (hak_options.stats != HAK_STATS_AT_EXIT_NONE) {
        hak_os_error_keep(hak_options.stats_path[0] == '\0');
    }
}

/* The path of the option with the process's number for each %p. false: too long */
static bool at_exit_path(char *out, size_t capacity) {
    struct stats_sink sink = {.is_memory = true, .text = out, .capacity = capacity - 1};
    for (const char *from = hak_options.stats_path; *from != '\0'; from++) {
        const bool is_process = from[0] == '%' && from[1] == 'p';
        if (is_process) {
            hak_sink_decimal(&sink, hak_os_process_id());
            from++;
        } else {
            hak_sink_text(&sink, (const char[]){*from, '\0'});
        }
    }
    out[sink.used] = '\0';
    return hak_sink_end(&sink) == 0;
}

/* error_file: where standard error is, or was; negative: nowhere, and nothing is written there */
static int at_exit_write(int error_file) {
    const enum hak_stats_format format = (enum hak_stats_format)(hak_options.stats - HAK_STATS_AT_EXIT_TEXT);
    if (hak_options.stats_path[0] == '\0') {
        return error_file < 0 ? 0 : hak_stats_write(error_file, format);
    }
    char path[HAK_PATH_BYTES + 32];
    if (!at_exit_path(path, sizeof path)) {
        return ENAMETOOLONG;
    }
    int file;
    int error = hak_os_file_create(path, &file);
    if (error == 0) {
        error = hak_stats_write(file, format);
        const int close_error = hak_os_file_close(file);
        error = error != 0 ? error : close_error;
    }
    return error;
}

__attribute__((destructor(101))) static void at_exit(void) {
    if (hak_options.stats == HAK_STATS_AT_EXIT_NONE) {
        return;
    }
    const int error_file = hak_os_error_kept();
    const int error = at_exit_write(error_file);
    if (error != 0) {
        hak_report_warning_to(error_file, "the statistics of HAKMEM_STATS could not be written", hak_options.stats_path,
                              hak_os_file_problem(error));
    }
}
