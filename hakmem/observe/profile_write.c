/* SPDX-License-Identifier: MIT */
/* The public functions of the profile. */
#include <errno.h>
#include <string.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/bits.h"
#include "hakmem/base/c_library.h"
#include "hakmem/base/warning.h"
#include "hakmem/hakmem.h"
#include "hakmem/magazine/exchange.h"
#include "hakmem/observe/gzip.h"
#include "hakmem/observe/pprof.h"
#include "hakmem/observe/profile_page.h"
#include "hakmem/os/maps.h"
#include "hakmem/os/os.h"
#include "hakmem/process/begin.h"
#include "hakmem/sample/chance.h"
#include "hakmem/sample/profile.h"

#define WRITE_TEXT_SUFFIX ".heap"

int hak_profile_start(size_t rate) {
    if (rate > PROFILE_RATE_MAX) {
        return EINVAL;
    }
    hak_process_begin();
    hak_profile_page_try_again();
    const int error = hak_profile_turn_on(rate == 0 ? PROFILE_RATE_DEFAULT : rate);
    /* What is in the magazines was loaded without a look at the profile. */
    if (hak_self != NULL) {
        hak_exchange_flush(hak_self);
    }
    return error;
}

void hak_profile_stop(void) { hak_profile_turn_off(); }

static bool ends_with(const char *text, const char *suffix) {
    const size_t length = strlen(text), suffix_length = strlen(suffix);
    return length >= suffix_length && strcmp(text + length - suffix_length, suffix) == 0;
}

/* `gzip`: a buffer, for either format. */
static int write_format(int file, bool is_text, struct gzip *gzip, const struct hak_profile_table *table,
                        const struct maps *maps) {
    if (is_text) {
        gzip->text = text_file(gzip->bytes, sizeof gzip->bytes, file);
        hak_pprof_write_text(&gzip->text, table, maps);
        return hak_text_end(&gzip->text);
    }
    hak_gzip_begin(gzip, file);
    const int error = hak_pprof_write(&gzip->text, table, maps);
    const int end_error = hak_gzip_end(gzip);
    return error != 0 ? error : end_error;
}

static void write_warn_of_maps(int error) {
    if (error != 0) {
        hak_report_warning_to(hak_os_error_kept(),
                              "it cannot be read, and the profile does not say which files its calls are in",
                              "/proc/self/maps", c_library_error_text(error));
    }
}

static int write_to(const char *path, const struct hak_profile_table *table) {
    struct maps maps;
    void *memory;
    const size_t bytes = bits_round_up(sizeof(struct gzip), hak_os_page_size());
    int file, error = hak_os_map(bytes, hak_os_page_size(), &memory);
    if (error != 0) {
        return error;
    }
    /* First, because the process may have one descriptor left. After an error there are none. */
    const int maps_error = hak_maps_read(&maps);
    error = hak_os_file_create(path, &file);
    if (error == 0) {
        write_warn_of_maps(maps_error);
        error = write_format(file, ends_with(path, WRITE_TEXT_SUFFIX), memory, table, &maps);
        const int close_error = hak_os_file_close(file);
        error = error != 0 ? error : close_error;
    }
    hak_maps_free(&maps);
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
            .callers = record_callers(table, &record),
            .caller_count = record_caller_count(&record),
            .is_cut = record_is_cut(&record),
            .is_open = record_is_open(&record),
            .block_size = record.size,
            .allocations = record.allocations,
            .live = record.allocations - record.frees,
            .scale = 1 / hak_chance_of(record.size, record.rate),
            .thread = record.thread,
            .asked = record.asked,
        };
        visit(&entry, argument);
        count++;
    }
    return count;
}
