/* SPDX-License-Identifier: MIT */
/* Publishes and is profiled as root, then goes into the folder of the first argument for good, gives up root, and ends when
 * standard input does. Prints its number when its page is there, and a line when it is somebody else. */
#include <stdio.h>
#include <unistd.h>

#include "tests/preload/published_page.h"

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    published_page_wait();
    if (chroot(argv[1]) != 0 || chdir("/") != 0 || setgid(65534) != 0 || setuid(65534) != 0) return 1;
    printf("%d\n", (int)getpid());
    fflush(stdout);
    while (getchar() != EOF) {
    }
    return 0;
}
