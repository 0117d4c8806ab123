/* SPDX-License-Identifier: MIT */
/* Reports a failed assertion and aborts.
 *
 * Called through the macros of assert.h, by any thread and with any locks held. */
#include "hakmem/base/assert.h"

#include <stdlib.h>
#include <unistd.h>

#include "hakmem/base/text.h"

void hak_assert_failed(const char *where_and_what) {
    TEXT_LINE(line);
    hak_text_add(&line, "hakmem: ");
    hak_text_add(&line, where_and_what);
    hak_text_write_line(&line, STDERR_FILENO);
    abort();
}
