/* SPDX-License-Identifier: MIT */
/* Blocks that nobody writes to, 512 MiB of them. Prints how many mappings the process has more than before. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BLOCKS = 16384, BYTES = 32000 };

static unsigned mappings(void) {
    char text[4096];
    unsigned lines = 0;
    const int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    for (ssize_t length; (length = read(file, text, sizeof text)) > 0;) {
        for (ssize_t i = 0; i < length; i++) lines += text[i] == '\n';
    }
    close(file);
    return lines;
}

int main(void) {
    free(malloc(BYTES));
    const unsigned before = mappings();
    for (unsigned i = 0; i < BLOCKS; i++) {
        if (malloc(BYTES) == NULL) return 1;
    }
    printf("%u\n", mappings() - before);
    return 0;
}
