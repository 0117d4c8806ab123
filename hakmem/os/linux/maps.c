/* SPDX-License-Identifier: MIT */
/* Reads and parses /proc/self/maps; the contract is in maps.h. A line of the file:
 *
 *     7f2c8a1e9000-7f2c8a33e000 r-xp 00028000 08:01 1443    /usr/lib/x86_64-linux-gnu/libc.so.6 */
#include "hakmem/os/maps.h"

#include <errno.h>
#include <string.h>

#include "hakmem/os/os.h"

#define MAPS_BYTES_FIRST ((size_t)256 << 10)

/* Reads to the end, or until the memory is full. Result: 0 or an errno value */
static int maps_fill(struct maps *maps) {
    int file = -1;
    int error = hak_os_file_open("/proc/self/maps", &file);
    if (error != 0) {
        return error;
    }
    size_t count;
    maps->length = 0;
    do {
        count = 0;
        error = hak_os_file_read(file, maps->text + maps->length, maps->capacity - maps->length, &count);
        maps->length += count;
    } while (error == 0 && count != 0);
    (void)hak_os_file_close(file);
    return error;
}

int hak_maps_read(struct maps *maps) {
    const int saved_errno = errno;
    int error = 0;
    *maps = (struct maps){0};
    for (size_t capacity = MAPS_BYTES_FIRST; error == 0 && maps->length == maps->capacity; capacity *= 2) {
        void *memory;
        hak_maps_free(maps);
        error = hak_os_map(capacity, hak_os_page_size(), &memory);
        if (error == 0) {
            *maps = (struct maps){.text = memory, .capacity = capacity};
            error = maps_fill(maps);
        }
    }
    if (error != 0) {
        hak_maps_free(maps);
    }
    errno = saved_errno;
    return error;
}

void hak_maps_free(struct maps *maps) {
    if (maps->capacity != 0) {
        hak_os_unmap(maps->text, maps->capacity);
    }
    *maps = (struct maps){0};
}

static uint64_t maps_number(const char **text) {
    uint64_t value = 0;
    for (;; (*text)++) {
        const char digit = **text;
        if (digit >= '0' && digit <= '9') {
            value = value << 4 | (uint64_t)(digit - '0');
        } else if (digit >= 'a' && digit <= 'f') {
            value = value << 4 | (uint64_t)(digit - 'a' + 10);
        } else {
            return value;
        }
    }
}

/* Past this word and the spaces behind it. pre: a line's end is behind it */
static void maps_skip(const char **text) {
    *text += strcspn(*text, " \n");
    *text += strspn(*text, " ");
}

bool hak_maps_next(const struct maps *maps, size_t *position, struct maps_entry *entry) {
    const struct maps_entry before = *position == 0 ? (struct maps_entry){0} : *entry;
    if (*position >= maps->length) {
        return false;
    }
    /* The kernel ends every line; behind the last there is a 0, since the memory is not full. */
    const char *text = maps->text + *position;
    entry->start = maps_number(&text);
    text++; /* '-' */
    entry->end = maps_number(&text);
    maps_skip(&text);
    entry->readable = text[0] == 'r';
    entry->writable = text[1] == 'w';
    entry->executable = text[2] == 'x';
    maps_skip(&text);
    entry->offset = maps_number(&text);
    maps_skip(&text);
    maps_skip(&text); /* device */
    maps_skip(&text); /* inode */
    entry->path = text;
    entry->path_length = strcspn(text, "\n");
    const bool same = entry->path_length != 0 && entry->path_length == before.path_length &&
                      memcmp(entry->path, before.path, before.path_length) == 0;
    entry->module = same ? before.module : entry->start;
    *position = (size_t)(text + entry->path_length + 1 - maps->text);
    return true;
}

void hak_maps_add_module(struct hak_text *text, const struct maps *maps, uint64_t address) {
    struct maps_entry entry;
    size_t position = 0;
    bool found = false;
    while (!found && hak_maps_next(maps, &position, &entry)) {
        found = address >= entry.start && address < entry.end;
    }
    if (!found || entry.path_length == 0 || entry.path[0] != '/') {
        return;
    }
    const size_t cut = entry.path_length > MAPS_PATH_MOST ? entry.path_length - MAPS_PATH_MOST : 0;
    hak_text_add(text, cut != 0 ? ": ..." : ": ");
    hak_text_add_foreign(text, entry.path + cut, entry.path_length - cut);
    hak_text_add(text, "+");
    hak_text_add_address(text, address - entry.module);
}
