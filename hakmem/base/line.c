/* SPDX-License-Identifier: MIT */
/* One line of text for standard error; the contract is in line.h.
 *
 * Called on the way to an abort, from signal handlers too, by any thread: only system calls and stack memory. */
#include "hakmem/base/line.h"

#include <unistd.h>

#include "hakmem/base/quiet.h"

static void line_byte(struct hak_line *line, char byte) {
    if (line->used < HAK_LINE_BYTES - 1) line->text[line->used++] = byte;
}

void hak_line_start(struct hak_line *line) { line->used = 0; }

void hak_line_text(struct hak_line *line, const char *text) {
    for (; *text != '\0'; text++) line_byte(line, *text);
}

void hak_line_decimal(struct hak_line *line, uint64_t value) {
    char digits[20]; /* 2^64 - 1 has 20 */
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (count != 0) line_byte(line, digits[--count]);
}

void hak_line_pointer(struct hak_line *line, const void *p) {
    uintptr_t value = (uintptr_t)p;
    unsigned shift = 0;
    while (shift + 4 < 8 * sizeof value && value >> (shift + 4) != 0) shift += 4;
    hak_line_text(line, "0x");
    for (;; shift -= 4) {
        line_byte(line, "0123456789abcdef"[value >> shift & 15]);
        if (shift == 0) break;
    }
}

static void line_foreign_byte(struct hak_line *line, char byte) {
    line_byte(line, byte >= ' ' && byte <= '~' ? byte : '?');
}

void hak_line_foreign_text(struct hak_line *line, const char *text, size_t limit) {
    for (; *text != '\0'; text++, limit--) {
        if (limit == 0) {
            hak_line_text(line, "...");
            break;
        }
        line_foreign_byte(line, *text);
    }
}

void hak_line_foreign_bytes(struct hak_line *line, const char *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) line_foreign_byte(line, bytes[i]);
}

void hak_line_write(struct hak_line *line) { hak_line_write_to(line, STDERR_FILENO); }

void hak_line_write_to(struct hak_line *line, int descriptor) {
    line->text[line->used++] = '\n';
    /* There is nowhere to say that it cannot be written. */
    (void)hak_quiet_write(descriptor, line->text, line->used);
}

const char *hak_line_string(struct hak_line *line) {
    line->text[line->used] = '\0';
    return line->text;
}
