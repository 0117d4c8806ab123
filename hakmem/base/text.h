/* SPDX-License-Identifier: MIT */
/* All text that hakmem writes: a buffer that is appended to, and what becomes of it when it is full.
 *
 *     text_memory   what does not fit is cut: a line for standard error on the stack, a path, the published page
 *     text_file     the buffer is written to a descriptor: statistics, profiles
 *
 * Whoever needs something else with the bytes brings a `full` of its own (observe/gzip.h). stdio allocates and locks; this
 * does neither, is async-signal-safe, and works at exit and on the way to an abort. The struct and its buffer belong to the
 * caller. The first error is kept, and nothing is appended after it. */
#ifndef HAKMEM_BASE_TEXT_H
#define HAKMEM_BASE_TEXT_H

#include "hakmem/base/compiler.h"

#ifdef __cplusplus
extern "C" {
#endif

struct hak_text {
    char *bytes;
    size_t used, capacity; /* used <= capacity; of memory, one byte more is there, for the 0 or a newline */
    int error;             /* 0, or an errno value; ENOSPC where memory is full */
    int file;              /* where the buffer goes, if `full` writes it */
    void (*full)(struct hak_text *text); /* empties the buffer; NULL: memory */
};

/* The buffer is written to `file`. */
void hak_text_flush(struct hak_text *text);

HAK_ALWAYS_INLINE struct hak_text text_memory(char *bytes, size_t size) {
    return (struct hak_text){.bytes = bytes, .capacity = size - 1};
}

HAK_ALWAYS_INLINE struct hak_text text_file(char *bytes, size_t size, int file) {
    return (struct hak_text){.bytes = bytes, .capacity = size, .file = file, .full = hak_text_flush};
}

/* A line on the stack. So many bytes hold the list of all options, and a report with three sites in modules of the longest
 * paths. */
#define TEXT_LINE_BYTES 2048
#define TEXT_LINE(name)                 \
    char name##_bytes[TEXT_LINE_BYTES]; \
    struct hak_text name = text_memory(name##_bytes, sizeof name##_bytes)

void hak_text_add(struct hak_text *text, const char *string);
void hak_text_add_bytes(struct hak_text *text, const void *bytes, size_t count);
void hak_text_add_decimal(struct hak_text *text, uint64_t value);
void hak_text_add_address(struct hak_text *text, uint64_t value); /* 0x... */

/* Text from outside: '?' for what is not printable ASCII, so that it cannot fake or break a line. */
void hak_text_add_foreign(struct hak_text *text, const char *bytes, size_t count);

/* Right-aligned in `width` columns and a blank before. */
void hak_text_add_column(struct hak_text *text, const char *string, unsigned width);
void hak_text_add_decimal_column(struct hak_text *text, uint64_t value, unsigned width);

/* The text of memory as a string. */
const char *hak_text_string(struct hak_text *text);

/* Ends a line in memory and writes it to a descriptor in one write(2), so that lines of several threads do not mix. Keeps errno;
 * sends the program no signal and is no cancellation point (quiet.h). */
void hak_text_write_line(struct hak_text *text, int descriptor);

/* Has `full` write what is left. Result: the first error since the start, or 0. */
int hak_text_end(struct hak_text *text);

#ifdef __cplusplus
}
#endif

#endif
