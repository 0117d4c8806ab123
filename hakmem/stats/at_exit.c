/* See at_exit.h. The destructor runs last: what the program's own handlers and destructors free is counted.
 *
 * A process that a signal ends, or _exit, writes nothing. Children that end by exit write too; %p tells them apart. */
#include "hakmem/stats/at_exit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "hakmem/base/compiler.h"
#include "hakmem/base/options.h"
#include "hakmem/base/warning.h"
#include "hakmem/hakmem.h"
#include "hakmem/stats/sink.h"

/* A copy lies above what programs number themselves, or anywhere where so many are not allowed. */
#define AT_EXIT_DESCRIPTOR 200

static int at_exit_descriptor = -1; /* constant after init */

void stats_at_exit_init(void) {
    if (hak_options.stats == HAK_STATS_AT_EXIT_NONE || hak_options.stats_path[0] != '\0') {
        return;
    }
    at_exit_descriptor = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, AT_EXIT_DESCRIPTOR);
    if (at_exit_descriptor < 0) {
        at_exit_descriptor = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    }
}

/* The path of the option with the process's number for each %p. false: too long */
static bool at_exit_path(char *out, size_t capacity) {
    struct stats_sink sink = {.is_memory = true, .text = out, .capacity = capacity - 1};
    for (const char *from = hak_options.stats_path; *from != '\0'; from++) {
        const bool is_process = from[0] == '%' && from[1] == 'p';
        if (is_process) {
            sink_decimal(&sink, (uint64_t)getpid());
            from++;
        } else {
            sink_text(&sink, (const char[]){*from, '\0'});
        }
    }
    out[sink.used] = '\0';
    return sink_end(&sink) == 0;
}

static int at_exit_write(void) {
    const enum hak_stats_format format = (enum hak_stats_format)(hak_options.stats - HAK_STATS_AT_EXIT_TEXT);
    if (hak_options.stats_path[0] == '\0') {
        return hak_stats_write(at_exit_descriptor, format);
    }
    char path[HAK_PATH_BYTES + 32];
    if (!at_exit_path(path, sizeof path)) {
        return ENAMETOOLONG;
    }
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        return errno;
    }
    const int error = hak_stats_write(fd, format);
    close(fd);
    return error;
}

__attribute__((destructor(101))) static void at_exit(void) {
    if (hak_options.stats == HAK_STATS_AT_EXIT_NONE) {
        return;
    }
    const int error = at_exit_write();
    if (error != 0) {
        report_warning("the statistics of HAKMEM_STATS could not be written", hak_options.stats_path,
                       strerrordesc_np(error));
    }
}
