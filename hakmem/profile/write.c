/* The public functions of the profile, and what happens at the end of the process. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/bits.h"
#include "hakmem/base/options.h"
#include "hakmem/base/warning.h"
#include "hakmem/hakmem.h"
#include "hakmem/magazine/process.h"
#include "hakmem/os/os.h"
#include "hakmem/profile/chance.h"
#include "hakmem/profile/leaks.h"
#include "hakmem/profile/pprof.h"
#include "hakmem/profile/profile.h"
#include "hakmem/profile/share.h"

#define WRITE_TEXT_SUFFIX ".heap"

int hak_profile_start(size_t rate) {
    if (rate > PROFILE_RATE_MAX) {
        return EINVAL;
    }
    process_begin();
    const int error = profile_start(rate == 0 ? PROFILE_RATE_DEFAULT : rate);
    /* What is in the magazines was loaded without a look at the profile. */
    hak_thread_flush();
    return error;
}

void hak_profile_stop(void) { profile_stop(); }

static bool ends_with(const char *text, const char *suffix) {
    const size_t length = strlen(text), suffix_length = strlen(suffix);
    return length >= suffix_length && strcmp(text + length - suffix_length, suffix) == 0;
}

static int write_to(const char *path, const struct profile_table *table) {
    struct maps maps;
    void *memory;
    const size_t bytes = bits_round_up(sizeof(struct output), os_page_size());
    int error = os_map(bytes, os_page_size(), &memory);
    if (error != 0) {
        return error;
    }
    struct output *output = memory;
    const bool text = ends_with(path, WRITE_TEXT_SUFFIX);
    error = maps_read(&maps);
    if (error == 0 && output_open(output, path, !text) == 0) {
        if (text) {
            pprof_write_text(output, table, &maps);
        } else {
            pprof_write(output, table, &maps);
        }
    }
    if (error == 0) {
        error = output_close(output);
        maps_free(&maps);
    }
    os_unmap(memory, bytes);
    return error;
}

int hak_profile_write(const char *path) {
    const struct profile_table *table = profile_table();
    const int saved_errno = errno;
    const int error = table == NULL ? ENODATA : write_to(path, table);
    errno = saved_errno;
    return error;
}

size_t hak_profile_read(hak_profile_visitor visit, void *argument) {
    const struct profile_table *table = profile_table();
    size_t count = 0;
    for (uint32_t index = 0; table != NULL && index < record_count(table); index++) {
        const struct profile_record record = record_read(table, index);
        if (record.allocations == 0) {
            continue;
        }
        const struct hak_profile_entry entry = {
            .site = (const void *)(uintptr_t)record.site,
            .block_size = record.size,
            .allocations = record.allocations,
            .live = record.allocations - record.frees,
            /* Relaxed: a snapshot. */
            .scale = 1 / chance_of(record.size, hak_load_relaxed(&table->rate)),
        };
        visit(&entry, argument);
        count++;
    }
    return count;
}

/* The process that was started with the options, in which a fork is another. */
static pid_t write_process;

/* Standard error once more, for programs that close it when they end, as coreutils do; -1: none. */
static int write_error_file = -1;

/* Out of the way of programs that count on the numbers of their files. */
#define WRITE_FILE_FIRST 200

/* The path with the process in the place of %p. Result: whether it has one. `out` has HAK_PATH_BYTES */
static bool expand(const char *path, char *out) {
    const char *mark = strstr(path, "%p");
    char digits[20];
    size_t first = sizeof digits;
    for (uint64_t rest = (uint64_t)getpid(); rest != 0; rest /= 10) {
        digits[--first] = (char)('0' + rest % 10);
    }
    const size_t head = mark == NULL ? strlen(path) : (size_t)(mark - path);
    const size_t count = mark == NULL ? 0 : sizeof digits - first;
    const char *tail = mark == NULL ? "" : mark + 2;
    if (head + count + strlen(tail) >= HAK_PATH_BYTES) {
        return false;
    }
    memcpy(out, path, head);
    memcpy(out + head, digits + first, count);
    memcpy(out + head + count, tail, strlen(tail) + 1);
    return mark != NULL;
}

__attribute__((constructor)) static void write_begin(void) {
    write_process = getpid();
    if (hak_options.leaks) {
        write_error_file = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, WRITE_FILE_FIRST);
    }
}

static void write_reopen_error(void) {
    if (write_error_file >= 0 && fcntl(STDERR_FILENO, F_GETFD) < 0) {
        (void)dup2(write_error_file, STDERR_FILENO);
    }
}

/* 101: behind the program's own, and behind those of libraries that were loaded after this one. */
__attribute__((destructor(101))) static void write_end(void) {
    const struct profile_table *table = profile_table();
    if (table == NULL) {
        return;
    }
    share_end();
    if (hak_options.leaks && getpid() == write_process) {
        write_reopen_error();
        leaks_report(table);
    }
    if (hak_options.profile[0] == '\0') {
        return;
    }
    static char path[HAK_PATH_BYTES];
    /* A child that goes on without an exec has the parent's counts too; it writes where that overwrites nothing. */
    if (expand(hak_options.profile, path) || getpid() == write_process) {
        const int error = hak_profile_write(path);
        if (error != 0) {
            report_warning("the profile could not be written", path, strerrordesc_np(error));
        }
    }
}
