/* SPDX-License-Identifier: MIT */
/* Where the text of statistics goes: a file descriptor, by write(2) from a fixed buffer, or memory.
 *
 * Neither allocates nor uses stdio, so that it works at exit, and in a thread of the allocator's own; how it is written
 * says quiet.h. The struct belongs to its caller. Text is appended piece by piece; the first error is kept and the rest dropped. */
#ifndef HAKMEM_STATS_SINK_H
#define HAKMEM_STATS_SINK_H

#include "hakmem/base/compiler.h"

#define SINK_BUFFER_BYTES 4096

struct stats_sink {
    bool is_memory; /* into `text` alone */
    int fd;         /* where it is not */
    int error;      /* 0, or an errno value; ENOSPC where memory is full */
    char *text;
    size_t used, capacity;
};

void hak_sink_text(struct stats_sink *sink, const char *text);
void hak_sink_decimal(struct stats_sink *sink, uint64_t value);

/* Right-aligned in `width` columns and a blank before. */
void hak_sink_column(struct stats_sink *sink, uint64_t value, unsigned width);
void hak_sink_column_text(struct stats_sink *sink, const char *text, unsigned width);

/* Writes what is buffered. Result: the first error since the start, or 0. */
int hak_sink_end(struct stats_sink *sink);

#endif
