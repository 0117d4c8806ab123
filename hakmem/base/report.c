/* Reports of misuse; the contract is in report.h.
 *
 * Any thread, any lock; owns nothing. Reads hak_options, which is constant once the allocator is initialised
 * and says "abort" before that. */
#include "hakmem/base/report.h"

#include <stdlib.h>

#include "hakmem/base/line.h"
#include "hakmem/base/options.h"

/* "the block of 64 bytes", or "the block" where its size is not known. */
static void line_block(struct hak_line *line, size_t block_size) {
    line_text(line, "the block");
    if (block_size == 0) return;
    line_text(line, " of ");
    line_decimal(line, block_size);
    line_text(line, " bytes");
}

static void line_misuse(struct hak_line *line, enum hak_misuse kind, size_t block_size) {
    switch (kind) {
    case HAK_MISUSE_FOREIGN:
        line_text(line, "foreign pointer: not a block of hakmem");
        return;
    case HAK_MISUSE_INTERIOR:
        line_text(line, "interior pointer: not the start of ");
        line_block(line, block_size);
        return;
    case HAK_MISUSE_DOUBLE_FREE:
        line_text(line, "double free: ");
        line_block(line, block_size);
        line_text(line, " is free already");
        return;
    case HAK_MISUSE_SIZE:
        line_text(line, "wrong size: the size given does not fit ");
        line_block(line, block_size);
        return;
    }
    line_text(line, "misuse");
}

void report_misuse(enum hak_misuse kind, const char *operation, const void *p, size_t block_size) {
    if (hak_options.on_misuse == HAK_ON_MISUSE_IGNORE) return;
    struct hak_line line;
    line_start(&line);
    line_text(&line, "hakmem: ");
    line_text(&line, operation);
    line_text(&line, "(");
    line_pointer(&line, p);
    line_text(&line, "): ");
    line_misuse(&line, kind, block_size);
    line_write(&line);
    if (hak_options.on_misuse == HAK_ON_MISUSE_ABORT) abort();
}
