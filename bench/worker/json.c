/* SPDX-License-Identifier: MIT */
/* Writes JSON to standard output. Called on the main thread, after everything was measured. */
#include "bench/worker/json.h"

#include <inttypes.h>
#include <stdio.h>

static void put_byte(char c) {
    if (c == '"' || c == '\\') {
        printf("\\%c", c);
    } else if ((unsigned char)c < ' ') {
        printf("\\u%04x", (unsigned char)c);
    } else {
        putchar(c);
    }
}

void json_bytes(const char *text, size_t length) {
    putchar('"');
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)text[i] < 0x80) {
            put_byte(text[i]);
        } else {
            printf("\\udc%02x", (unsigned char)text[i]);
        }
    }
    putchar('"');
}

void json_string(const char *text) {
    if (text == NULL) {
        printf("null");
        return;
    }
    putchar('"');
    for (; *text != '\0'; text++) {
        put_byte(*text);
    }
    putchar('"');
}

void json_key(const char *name) { printf(",\"%s\":", name); }

void json_text(const char *name, const char *text) {
    json_key(name);
    json_string(text);
}

void json_count(const char *name, uint64_t count) { printf(",\"%s\":%" PRIu64, name, count); }

void json_optional(const char *name, bool present, uint64_t count) {
    if (present) {
        json_count(name, count);
    } else {
        json_text(name, NULL);
    }
}

void json_flag(const char *name, bool flag) { printf(",\"%s\":%s", name, flag ? "true" : "false"); }
