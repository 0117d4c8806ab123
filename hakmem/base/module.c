/* SPDX-License-Identifier: MIT */
/* See module.h. A line of the list of mappings:
 *
 *     7f2c8a1e9000-7f2c8a33e000 r-xp 00028000 08:01 1443    /usr/lib/x86_64-linux-gnu/libc.so.6
 *
 * The mappings of a module follow each other; what is between them without a path (its zeroed data) ends it. */
#include "hakmem/base/module.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAPS_END (-1)

struct maps_reader {
    int file;
    ssize_t used, read; /* bytes of the buffer */
    char bytes[1024];
};

/* The next byte, or MAPS_END. By system calls: the program may have replaced read. */
static int hak_maps_next(struct maps_reader *reader) {
    if (reader->used == reader->read) {
        reader->used = 0;
        do {
            reader->read = syscall(SYS_read, reader->file, reader->bytes, sizeof reader->bytes);
        } while (reader->read < 0 && errno == EINTR);
        if (reader->read <= 0) {
            reader->read = 0;
            return MAPS_END;
        }
    }
    return (unsigned char)reader->bytes[reader->used++];
}

static int hexadecimal_digit(int byte) {
    if (byte >= '0' && byte <= '9') return byte - '0';
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* A number and the byte behind it. */
static uintptr_t maps_number(struct maps_reader *reader) {
    uintptr_t value = 0;
    int digit;
    while ((digit = hexadecimal_digit(hak_maps_next(reader))) >= 0) {
        value = value << 4 | (uintptr_t)digit;
    }
    return value;
}

/* The rest of the line: four columns, spaces, and the path, which is empty for memory of the process alone. Result: it is the
 * path of a file, and not a name in brackets */
static bool maps_path(struct maps_reader *reader, char *path) {
    unsigned columns = 0;
    size_t length = 0;
    bool in_column = false, is_file = false, is_cut = false;
    for (int byte = hak_maps_next(reader); byte != '\n' && byte != MAPS_END; byte = hak_maps_next(reader)) {
        const bool space = byte == ' ' && columns <= 4;
        columns += !space && !in_column;
        in_column = !space;
        if (columns <= 4 || space) continue;
        if (length == 0) {
            is_file = byte == '/';
        }
        if (length == MODULE_PATH_BYTES - 1) {
            memmove(path, path + 1, --length);
            is_cut = true;
        }
        path[length++] = (char)byte;
    }
    path[length] = '\0';
    if (is_cut) {
        memset(path, '.', 3);
    }
    return is_file;
}

static bool hak_maps_find(struct maps_reader *reader, uintptr_t address, struct hak_module *module) {
    char path[MODULE_PATH_BYTES];
    uintptr_t first = 0; /* of the module at hand */
    module->path[0] = '\0';
    for (;;) {
        const uintptr_t start = maps_number(reader);
        const uintptr_t end = maps_number(reader);
        if (end == 0) {
            return false;
        }
        const bool is_file = maps_path(reader, path);
        if (path[0] == '\0' || strcmp(path, module->path) != 0) {
            first = start;
            memcpy(module->path, path, sizeof path);
        }
        if (address >= start && address < end) {
            module->offset = address - first;
            return is_file;
        }
    }
}

bool hak_module_find(const void *address, struct hak_module *module) {
    const int saved_errno = errno;
    struct maps_reader reader = {.file = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC)};
    const bool found = reader.file >= 0 && hak_maps_find(&reader, (uintptr_t)address, module);
    if (reader.file >= 0) {
        (void)syscall(SYS_close, reader.file);
    }
    errno = saved_errno;
    return found;
}
