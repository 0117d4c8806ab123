/* SPDX-License-Identifier: MIT */
/* Pieces of a JSON object, written as they come: the allocator under test is not asked for memory. */
#include "bench/trace/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void json_text(const char *text, size_t length) {
    putchar('"');
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\') {
            printf("\\%c", c);
        } else {
            putchar(c >= ' ' && c < 0x7f ? c : '?');
        }
    }
    putchar('"');
}

void json_count(const char *name, uint64_t count) { printf(",\"%s\":%" PRIu64, name, count); }

void json_string(const char *name, const char *text) {
    printf(",\"%s\":", name);
    if (text == NULL) {
        printf("null");
    } else {
        json_text(text, strlen(text));
    }
}

void json_flag(const char *name, bool flag) { printf(",\"%s\":%s", name, flag ? "true" : "false"); }
