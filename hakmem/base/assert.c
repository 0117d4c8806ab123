/* The end of a process whose assertion does not hold.
 *
 * Called through the macros of assert.h by any thread, with any locks held. */
#include "hakmem/base/assert.h"

#include <stdlib.h>

#include "hakmem/base/line.h"

void assert_failed(const char *where_and_what) {
    struct hak_line line;
    line_start(&line);
    line_text(&line, "hakmem: ");
    line_text(&line, where_and_what);
    line_write(&line);
    abort();
}
