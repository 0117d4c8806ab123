/* SPDX-License-Identifier: MIT */
/* The end of a process whose assertion does not hold.
 *
 * Called through the macros of assert.h by any thread, with any locks held. */
#include "hakmem/base/assert.h"

#include <stdlib.h>

#include "hakmem/base/line.h"

void hak_assert_failed(const char *where_and_what) {
    struct hak_line line;
    hak_line_start(&line);
    hak_line_text(&line, "hakmem: ");
    hak_line_text(&line, where_and_what);
    hak_line_write(&line);
    abort();
}
