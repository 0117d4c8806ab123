/* SPDX-License-Identifier: MIT */
/* What can be read, for the tests of guard full. */
#ifndef TESTS_UNIT_GUARD_READABLE_H
#define TESTS_UNIT_GUARD_READABLE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include "hakmem/os/os.h"
#include "tests/harness/harness.h"

/* Without a fault: the kernel says whether it can read there. */
static inline bool is_readable(const volatile char *p) {
    int ends[2];
    char byte;
    HAK_EXPECT(pipe(ends) == 0);
    const bool readable = write(ends[1], (const void *)p, 1) == 1;
    if (readable) {
        HAK_EXPECT(read(ends[0], &byte, 1) == 1);
    } else {
        HAK_EXPECT_EQ(errno, EFAULT);
    }
    close(ends[0]);
    close(ends[1]);
    return readable;
}

/* Whether anything is mapped there, readable or not. */
static inline bool is_mapped(const char *p) {
    unsigned char resident;
    const size_t page = hak_os_page_size();
    return hak_os_resident((void *)((uintptr_t)p & ~(page - 1)), page, &resident) == 0;
}

/* Resident pages of a range. */
static inline size_t resident_pages(void *start, size_t bytes) {
    const size_t page = hak_os_page_size();
    unsigned char pages[512];
    size_t resident = 0;
    for (size_t at = 0; at < bytes; at += sizeof pages * page) {
        const size_t left = (bytes - at + page - 1) / page;
        const size_t count = left < sizeof pages ? left : sizeof pages;
        HAK_EXPECT_EQ(hak_os_resident((char *)start + at, count * page, pages), 0);
        for (size_t i = 0; i < count; i++) resident += pages[i] & 1u;
    }
    return resident;
}

#endif
