/* SPDX-License-Identifier: MIT */
/* See text.h. Called by any thread, also on the way to an abort and in signal handlers, so it uses only system calls
 * and the caller's memory. */
#include "hakmem/base/text.h"

#include <errno.h>
#include <string.h>

#include "hakmem/base/quiet.h"

void hak_text_flush(struct hak_text *text) {
    if (text->error == 0) {
        text->error = hak_quiet_write(text->file, text->bytes, text->used);
    }
    text->used = 0;
}

void hak_text_add_bytes(struct hak_text *text, const void *bytes, size_t count) {
    for (const char *from = bytes; count > 0 && text->error == 0;) {
        const size_t room = text->capacity - text->used, now = count < room ? count : room;
        memcpy(text->bytes + text->used, from, now);
        text->used += now;
        from += now;
        count -= now;
        if (count > 0 && text->full == NULL) {
            text->error = ENOSPC;
        } else if (count > 0) {
            text->full(text);
        }
    }
}

void hak_text_add(struct hak_text *text, const char *string) { hak_text_add_bytes(text, string, strlen(string)); }

#define DIGITS_MAX 20 /* of 2^64 - 1 */

/* The digits of value at the end of `digits`, which holds a NUL behind them. Result: the first. pre: base is at most
 * 16 */
static const char *text_digits(uint64_t value, unsigned base, char digits[DIGITS_MAX + 1]) {
    char *first = digits + DIGITS_MAX;
    *first = '\0';
    do {
        *--first = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    return first;
}

void hak_text_add_decimal(struct hak_text *text, uint64_t value) {
    char digits[DIGITS_MAX + 1];
    hak_text_add(text, text_digits(value, 10, digits));
}

void hak_text_add_address(struct hak_text *text, uint64_t value) {
    char digits[DIGITS_MAX + 1];
    hak_text_add(text, "0x");
    hak_text_add(text, text_digits(value, 16, digits));
}

void hak_text_add_foreign(struct hak_text *text, const char *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        hak_text_add_bytes(text, bytes[i] >= ' ' && bytes[i] <= '~' ? &bytes[i] : "?", 1);
    }
}

void hak_text_add_column(struct hak_text *text, const char *string, unsigned width) {
    hak_text_add(text, " ");
    for (size_t length = strlen(string); length < width; length++) {
        hak_text_add(text, " ");
    }
    hak_text_add(text, string);
}

void hak_text_add_decimal_column(struct hak_text *text, uint64_t value, unsigned width) {
    char digits[DIGITS_MAX + 1];
    hak_text_add_column(text, text_digits(value, 10, digits), width);
}

const char *hak_text_string(struct hak_text *text) {
    text->bytes[text->used] = '\0';
    return text->bytes;
}

void hak_text_write_line(struct hak_text *text, int descriptor) {
    text->bytes[text->used++] = '\n';
    /* There is nowhere to say that it cannot be written. */
    (void)hak_quiet_write(descriptor, text->bytes, text->used);
}

int hak_text_end(struct hak_text *text) {
    if (text->full != NULL) {
        text->full(text);
    }
    return text->error;
}
