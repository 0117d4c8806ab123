/* SPDX-License-Identifier: MIT */
/* See life.h. */
#include "tests/preload/life/life.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A line of the longest kind, twice. */
#define LINE_BYTES 2048

/* Pages of a block that are written to. */
#define TOUCHED_PAGES 16

const size_t life_sizes[] = {16,   24,   40,    64,    100,   200,   333,    512,    1000,    1024,    1500,   3000,
                             5000, 9000, 20000, 32768, 40000, 70000, 200000, 500000, 1000000, 1100000, 2500000};
const unsigned life_size_count = sizeof life_sizes / sizeof life_sizes[0];

static void (*stats_get)(struct hak_stats *stats);

static void write_line(int file, const char *format, va_list arguments) {
    char line[LINE_BYTES];
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    if (length < 0 || length >= (int)sizeof line - 1) {
        abort();
    }
    line[length++] = '\n';
    if (write(file, line, (size_t)length) != length) {
        abort();
    }
}

void life_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    write_line(STDERR_FILENO, format, arguments);
    va_end(arguments);
    _exit(1);
}

void life_print(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    write_line(STDOUT_FILENO, format, arguments);
    va_end(arguments);
}

/* Whether malloc's blocks are those that hak_stats_get counts. */
static bool is_hakmem(void) {
    bool (*owner)(const void *p, struct hak_owner_info *info);
    Dl_info of_stats, of_malloc, of_free;
    *(void **)&stats_get = dlsym(RTLD_DEFAULT, "hak_stats_get");
    *(void **)&owner = dlsym(RTLD_DEFAULT, "hak_owner");
    if (stats_get == NULL || owner == NULL) {
        return false;
    }
    if (dladdr(*(void **)&stats_get, &of_stats) == 0 || dladdr(dlsym(RTLD_DEFAULT, "malloc"), &of_malloc) == 0 ||
        dladdr(dlsym(RTLD_DEFAULT, "free"), &of_free) == 0 || of_stats.dli_fbase != of_malloc.dli_fbase ||
        of_stats.dli_fbase != of_free.dli_fbase) {
        return false;
    }
    struct hak_owner_info info;
    const struct hak_stats before = life_stats();
    void *block = malloc(100);
    const struct hak_stats with = life_stats();
    const bool owned = owner(block, &info) && info.block == block;
    free(block);
    return owned && with.exact && with.tiny.allocations == before.tiny.allocations + 1;
}

void life_begin(void) { life_print("{\"allocator\": \"%s\"}", is_hakmem() ? "hakmem" : "other"); }

struct hak_stats life_stats(void) {
    struct hak_stats stats;
    LIFE_CHECK(stats_get != NULL);
    stats_get(&stats);
    return stats;
}

uint64_t life_live_bytes(const struct hak_stats *stats) {
    return stats->tiny.live_bytes + stats->l2.live_bytes + stats->l25.live_bytes + stats->huge.live_bytes;
}

uint64_t life_live_blocks(const struct hak_stats *stats) {
    return stats->tiny.live_blocks + stats->l2.live_blocks + stats->l25.live_blocks + stats->huge.live_blocks;
}

uint64_t life_bound_bytes(const struct hak_stats *stats) {
    return life_live_bytes(stats) + stats->magazine_bytes + stats->slab_free_bytes + stats->metadata_bytes +
           stats->decaying_bytes;
}

uint64_t life_resident_bytes(void) {
    static const char label[] = "\nRss:";
    char text[LINE_BYTES];
    const int file = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    LIFE_CHECK(file >= 0);
    const ssize_t length = read(file, text, sizeof text - 1);
    LIFE_CHECK(length > 0);
    close(file);
    text[length] = '\0';
    const char *line = strstr(text, label);
    LIFE_CHECK(line != NULL);
    return strtoull(line + sizeof label - 1, NULL, 10) * KIB;
}

static int touch_segments(struct dl_phdr_info *module, size_t size, void *unused) {
    (void)size;
    (void)unused;
    for (unsigned i = 0; i < module->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &module->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_R) == 0) {
            continue;
        }
        const volatile char *start = (const volatile char *)(module->dlpi_addr + segment->p_vaddr);
        for (size_t at = 0; at < segment->p_filesz; at += 4 * KIB) {
            (void)start[at];
        }
    }
    return 0;
}

void life_touch_code(void) { (void)dl_iterate_phdr(touch_segments, NULL); }

struct head {
    size_t size;
    uint64_t mark;
};

/* Differs from block to block and from size to size. */
static uint64_t mark_of(const void *block, size_t size) {
    return ((uint64_t)(uintptr_t)block ^ size) * UINT64_C(0x9e3779b97f4a7c15);
}

void *life_block_new(size_t size) {
    unsigned char *block = malloc(size);
    if (block == NULL) {
        return NULL;
    }
    for (size_t at = 0; at < size && at < TOUCHED_PAGES * 4 * KIB; at += 4 * KIB) {
        block[at] = 1;
    }
    const uint64_t mark = mark_of(block, size);
    if (size > sizeof(struct head)) {
        block[size - 1] = (unsigned char)mark;
    }
    memcpy(block, &(struct head){.size = size, .mark = mark}, sizeof(struct head));
    return block;
}

void life_block_check(const void *block) {
    struct head head;
    memcpy(&head, block, sizeof head);
    LIFE_CHECK(head.mark == mark_of(block, head.size));
    LIFE_CHECK(head.size <= sizeof head || ((const unsigned char *)block)[head.size - 1] == (unsigned char)head.mark);
}

void life_block_free(void *block) {
    if (block == NULL) {
        return;
    }
    life_block_check(block);
    memset(block, 0, sizeof(struct head));
    free(block);
}
