/* SPDX-License-Identifier: MIT */
/* Closes every descriptor above the first three, as daemons do, and opens files of its own in their place, in the folder of
 * the first argument. With a second one, standard error's place is taken by such a file as well. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FILES 300

int main(int argc, char **argv) {
    char path[4096];
    if (argc < 2) return 2;
    free(malloc(100));
    closefrom(argc > 2 ? 2 : 3);
    for (int i = 0; i < FILES; i++) {
        snprintf(path, sizeof path, "%s/%d", argv[1], i);
        const int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
        if (file < 0 || write(file, "data\n", 5) != 5) return 1;
    }
    return 0;
}
