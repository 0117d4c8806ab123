/* SPDX-License-Identifier: MIT */
/* One line of text for standard error, put together on the stack.
 *
 * Used by the reports and assertions of this folder only: stdio allocates and locks, this does neither.
 * The struct belongs to its caller; what does not fit is cut, the newline always fits. */
#ifndef HAKMEM_BASE_LINE_H
#define HAKMEM_BASE_LINE_H

#include "hakmem/base/compiler.h"

#ifdef __cplusplus
extern "C" {
#endif

/* 0 <= used < HAK_LINE_BYTES: one byte is kept for the newline. So many hold the list of all options, and a report with
 * three sites in modules of the longest paths (module.h). */
#define HAK_LINE_BYTES 2048

struct hak_line {
    size_t used;
    char text[HAK_LINE_BYTES];
};

void hak_line_start(struct hak_line *line);
void hak_line_text(struct hak_line *line, const char *text);
void hak_line_decimal(struct hak_line *line, uint64_t value);
void hak_line_pointer(struct hak_line *line, const void *p);

/* Text from outside: at most `limit` bytes of it, and '?' for what is not printable ASCII, so that it cannot
 * fake or break a line. */
void hak_line_foreign_text(struct hak_line *line, const char *text, size_t limit);

/* The same of bytes that no 0 ends. */
void hak_line_foreign_bytes(struct hak_line *line, const char *bytes, size_t count);

/* Ends the line and writes it to standard error, or to another descriptor, in one write(2). Keeps errno; sends the program
 * no signal and is no cancellation point (quiet.h). */
void hak_line_write(struct hak_line *line);
void hak_line_write_to(struct hak_line *line, int descriptor);

/* The text as a string, for who passes it on. */
const char *hak_line_string(struct hak_line *line);

#ifdef __cplusplus
}
#endif

#endif
