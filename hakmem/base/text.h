/* SPDX-License-Identifier: MIT */
/* Text output: a buffer to append to, with a function that handles a full buffer.
 *
 *     text_memory   text that does not fit is cut: a line for standard error on the stack, a path, the published page
 *     text_file     the buffer is written to a descriptor: statistics, profiles
 *
 * A caller with another destination supplies its own `full` (observe/gzip.h). Unlike stdio, these functions neither
 * allocate nor lock. They are async-signal-safe, and work at exit and on the way to an abort. The struct and its buffer
 * belong to the caller. The first error is kept, and nothing is appended after it. */
#ifndef HAKMEM_BASE_TEXT_H
#define HAKMEM_BASE_TEXT_H

#include "hakmem/base/compiler.h"

#ifdef __cplusplus
extern "C" {
#endif

struct hak_text {
    char *bytes;
    size_t used, capacity;               /* used <= capacity; text_memory has one byte more, for the 0 or a newline */
    int error;                           /* 0, or an errno value; ENOSPC if text_memory is full */
    int file;                            /* the descriptor that `full` writes to, if it writes to one */
    void (*full)(struct hak_text *text); /* empties the buffer; NULL: memory */
};

/* Writes the buffer to `file` and empties it: the `full` of text_file. */
void hak_text_flush(struct hak_text *text);

HAK_ALWAYS_INLINE struct hak_text text_memory(char *bytes, size_t size) {
    return (struct hak_text){.bytes = bytes, .capacity = size - 1};
}

HAK_ALWAYS_INLINE struct hak_text text_file(char *bytes, size_t size, int file) {
    return (struct hak_text){.bytes = bytes, .capacity = size, .file = file, .full = hak_text_flush};
}

/* Declares a line on the stack. Its size suffices for the list of all options, and for a report with three sites in
 * modules with the longest paths. */
#define TEXT_LINE_BYTES 2048
#define TEXT_LINE(name)                 \
    char name##_bytes[TEXT_LINE_BYTES]; \
    struct hak_text name = text_memory(name##_bytes, sizeof name##_bytes)

void hak_text_add(struct hak_text *text, const char *string);
void hak_text_add_bytes(struct hak_text *text, const void *bytes, size_t count);
void hak_text_add_decimal(struct hak_text *text, uint64_t value);
void hak_text_add_address(struct hak_text *text, uint64_t value); /* 0x... */

/* Appends untrusted text; replaces all but printable ASCII by '?', so that it can neither forge nor break a line. */
void hak_text_add_foreign(struct hak_text *text, const char *bytes, size_t count);

/* Append a blank, then the value right-aligned in `width` columns. */
void hak_text_add_column(struct hak_text *text, const char *string, unsigned width);
void hak_text_add_decimal_column(struct hak_text *text, uint64_t value, unsigned width);

/* Terminates a text_memory with 0 and returns it as a string. */
const char *hak_text_string(struct hak_text *text);

/* Appends a newline to a text_memory and writes it to a descriptor in one write(2), so that lines of several threads do
 * not mix. Keeps errno, causes no signal, and is no cancellation point (quiet.h). */
void hak_text_write_line(struct hak_text *text, int descriptor);

/* Calls `full` for the rest of the text. Returns the first error since the start, or 0. */
int hak_text_end(struct hak_text *text);

#ifdef __cplusplus
}
#endif

#endif
