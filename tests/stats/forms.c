/* SPDX-License-Identifier: MIT */
/* Writes the statistics in each form to the files that the arguments name, with known blocks alive and nothing else going
 * on, and once more to a descriptor that cannot be written.
 *
 *     forms TEXT JSON PROMETHEUS */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "hakmem/hakmem.h"

#define BLOCKS 1000u

static void require(int condition, const char *what) {
    if (!condition) {
        fprintf(stderr, "forms: %s\n", what);
        exit(1);
    }
}

static void write_form(const char *path, enum hak_stats_format format) {
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    require(fd >= 0, "cannot open");
    struct hak_stats before, after;
    hak_stats_get(&before);
    require(hak_stats_write(fd, format) == 0, "hak_stats_write fails");
    hak_stats_get(&after);
    require(before.tiny.allocations == after.tiny.allocations && before.exchanges == after.exchanges &&
                before.system_maps == after.system_maps,
            "hak_stats_write allocates");
    close(fd);
}

int main(int argc, char **argv) {
    require(argc == 4, "three files");
    static const size_t sizes[] = {48, 3000, 100000, 3 << 20};
    static void *blocks[4][BLOCKS];
    for (unsigned i = 0; i < BLOCKS; i++) {
        for (unsigned size = 0; size < 4; size++) {
            if (i < BLOCKS >> (3 * size)) blocks[size][i] = hak_alloc(sizes[size]);
        }
    }
    for (unsigned i = 0; i < BLOCKS / 2; i++) hak_free(blocks[0][i]);
    for (int form = 0; form < 3; form++) write_form(argv[form + 1], (enum hak_stats_format)form);
    errno = 77;
    require(hak_stats_write(-1, HAK_STATS_JSON) == EBADF, "a closed descriptor is not refused");
    require(hak_stats_write(1, (enum hak_stats_format)3) == EINVAL, "a fourth format is not refused");
    require(errno == 77, "errno changes");
    return 0;
}
