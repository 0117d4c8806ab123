/* SPDX-License-Identifier: MIT */
/* The public functions of the profile, and what happens at the end of the process. */
#include <errno.h>
#include <string.h>

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

#define WRITE_TEXT_SUFFIX ".heap"

int hak_profile_start(size_t rate) {
    if (rate > PROFILE_RATE_MAX) {
        return EINVAL;
    }
    hak_process_begin();
    const int error = hak_profile_turn_on(rate == 0 ? PROFILE_RATE_DEFAULT : rate);
    /* What is in the magazines was loaded without a look at the profile. */
    hak_thread_flush();
    return error;
}

void hak_profile_stop(void) { hak_profile_turn_off(); }

static bool ends_with(const char *text, const char *suffix) {
    const size_t length = strlen(text), suffix_length = strlen(suffix);
    return length >= suffix_length && strcmp(text + length - suffix_length, suffix) == 0;
}

static int write_to(const char *path, const struct hak_profile_table *table) {
    struct maps maps;
    void *memory;
    const size_t bytes = bits_round_up(sizeof(struct output), hak_os_page_size());
    int error = hak_os_map(bytes, hak_os_page_size(), &memory);
    if (error != 0) {
        return error;
    }
    struct output *output = memory;
    const bool text = ends_with(path, WRITE_TEXT_SUFFIX);
    error = hak_maps_read(&maps);
    if (error == 0 && hak_output_open(output, path, !text) == 0) {
        if (text) {
            hak_pprof_write_text(output, table, &maps);
        } else {
            hak_pprof_write(output, table, &maps);
        }
    }
    if (error == 0) {
        error = hak_output_close(output);
        hak_maps_free(&maps);
    }
    hak_os_unmap(memory, bytes);
    return error;
}

int hak_profile_write(const char *path) {
    const struct hak_profile_table *table = hak_profile_table();
    const int saved_errno = errno;
    const int error = table == NULL ? ENODATA : write_to(path, table);
    errno = saved_errno;
    return error;
}

size_t hak_profile_read(hak_profile_visitor visit, void *argument) {
    const struct hak_profile_table *table = hak_profile_table();
    size_t count = 0;
    for (uint32_t index = 0; table != NULL && index < hak_record_count(table); index++) {
        const struct profile_record record = hak_record_read(table, index);
        if (record.allocations == 0) {
            continue;
        }
        const struct hak_profile_entry entry = {
            .site = (const void *)(uintptr_t)record.site,
            .block_size = record.size,
            .allocations = record.allocations,
            .live = record.allocations - record.frees,
            /* Relaxed: a snapshot. */
            .scale = 1 / hak_chance_of(record.size, hak_load_relaxed(&table->rate)),
        };
        visit(&entry, argument);
        count++;
    }
    return count;
}

/* The process that was started with the options, in which a fork is another. */
static uint32_t write_process;

/* The path with the process in the place of %p. Result: whether it has one. `out` has HAK_PATH_BYTES */
static bool expand(const char *path, char *out) {
    const char *mark = strstr(path, "%p");
    char digits[20];
    size_t first = sizeof digits;
    for (uint64_t rest = hak_os_process_id(); rest != 0; rest /= 10) {
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
    write_process = hak_os_process_id();
    if (hak_options.leaks || hak_options.profile[0] != '\0') {
        hak_os_error_keep(hak_options.leaks);
    }
}

static void write_profile(int error_file) {
    static char path[HAK_PATH_BYTES];
    /* A child that goes on without an exec has the parent's counts too; it writes where that overwrites nothing. */
    if (expand(hak_options.profile, path) || hak_os_process_id() == write_process) {
        const int error = hak_profile_write(path);
        if (error != 0) {
            hak_report_warning_to(error_file, "the profile could not be written", path, hak_os_file_problem(error));
        }
    }
}

/* 101: behind the program's own, and behind those of libraries that were loaded after this one. */
__attribute__((destructor(101))) static void write_end(void) {
    const struct hak_profile_table *table = hak_profile_table();
    if (table == NULL) {
        return;
    }
    const int error_file = hak_os_error_kept();
    if (hak_options.leaks && error_file >= 0 && hak_os_process_id() == write_process) {
        hak_leaks_report(table, error_file);
    }
    if (hak_options.profile[0] != '\0') {
        write_profile(error_file);
    }
}
