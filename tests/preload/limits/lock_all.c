/* SPDX-License-Identifier: MIT */
/* mlockall with the flags of the first argument, by the C library's function; as somebody who may lock 64 MiB where the second
 * is "user", or as much as he may raise that limit to. The kernel compares it with all that is mapped, which is looked at too.
 * Allocates and frees before and afterwards. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "status.h"

#define MIB ((size_t)1 << 20)
#define MOST_KIB (64 << 10)

static int use_all_sizes(void) {
    static unsigned char *blocks[3000];
    const size_t sizes[] = {24, 700, 5000, 3000, 40000, 1200};
    for (size_t i = 0; i < 3000; i++) {
        blocks[i] = malloc(i % 100 == 0 ? sizes[4] : sizes[i % 4]);
        if (blocks[i] == NULL) return 0;
        memset(blocks[i], (int)i, 24);
    }
    for (size_t i = 0; i < 3000; i++) {
        if (blocks[i][23] != (unsigned char)i) return 0;
        free(blocks[i]);
    }
    void *huge = malloc(3 * MIB);
    free(huge);
    return huge != NULL;
}

int main(int count, char **arguments) {
    const int flags = count > 1 ? atoi(arguments[1]) : MCL_CURRENT;
    char *kept = memset(malloc(100), 7, 100);
    printf("before %d\n", use_all_sizes());
    if (count > 2 && strcmp(arguments[2], "user") == 0) {
        struct rlimit limit = {64 * MIB, 64 * MIB};
        if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0) puts("less than 64 MiB");
        if (geteuid() == 0 && setuid(65534) != 0) return 1;
    }
    const long locked = status_kib("\nVmLck:"), resident = status_kib("\nVmRSS:");
    const int result = mlockall(flags);
    printf("mlockall %d, errno %d\n", result, result == 0 ? 0 : errno);
    const long more = status_kib("\nVmLck:") - locked, touched = status_kib("\nVmRSS:") - resident;
    if ((flags & MCL_CURRENT) != 0) printf("little is mapped %d\n", status_kib("\nVmSize:") <= MOST_KIB);
    printf("little is locked %d, and touched %d\n", more <= MOST_KIB, touched <= MOST_KIB);
    if (more > MOST_KIB || touched > MOST_KIB) printf("%ld KiB, %ld KiB\n", more, touched);
    printf("after %d\n", use_all_sizes());
    printf("kept %d\n", kept[99]);
    free(kept);
    return 0;
}
