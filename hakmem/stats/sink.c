/* SPDX-License-Identifier: MIT */
/* See sink.h. */
#include "hakmem/stats/sink.h"

#include <errno.h>
#include <string.h>

#include "hakmem/base/quiet.h"

static void sink_flush(struct stats_sink *sink) {
    if (sink->is_memory) {
        sink->error = ENOSPC;
        return;
    }
    if (sink->error == 0) {
        sink->error = hak_quiet_write(sink->fd, sink->text, sink->used);
    }
    sink->used = 0;
}

static void sink_byte(struct stats_sink *sink, char byte) {
    if (sink->used == sink->capacity) {
        sink_flush(sink);
    }
    if (sink->error == 0) {
        sink->text[sink->used++] = byte;
    }
}

void hak_sink_text(struct stats_sink *sink, const char *text) {
    for (; *text != '\0'; text++) {
        sink_byte(sink, *text);
    }
}

#define DIGITS_MAX 20 /* of 2^64 - 1 */

/* The digits of value at the end of text, which holds a NUL behind them. Result: the first. */
static const char *digits(uint64_t value, char text[DIGITS_MAX + 1]) {
    char *first = text + DIGITS_MAX;
    *first = '\0';
    do {
        *--first = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    return first;
}

void hak_sink_decimal(struct stats_sink *sink, uint64_t value) {
    char text[DIGITS_MAX + 1];
    hak_sink_text(sink, digits(value, text));
}

void hak_sink_column_text(struct stats_sink *sink, const char *text, unsigned width) {
    sink_byte(sink, ' ');
    for (size_t length = strlen(text); length < width; length++) {
        sink_byte(sink, ' ');
    }
    hak_sink_text(sink, text);
}

void hak_sink_column(struct stats_sink *sink, uint64_t value, unsigned width) {
    char text[DIGITS_MAX + 1];
    hak_sink_column_text(sink, digits(value, text), width);
}

int hak_sink_end(struct stats_sink *sink) {
    if (!sink->is_memory) {
        sink_flush(sink);
    }
    return sink->error;
}
