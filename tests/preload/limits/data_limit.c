/* SPDX-License-Identifier: MIT */
/* Limits its own data to what it has and the argument's MiB more, fills that with blocks, lifts the limit and goes on.
 * Prints what the first part was in MiB, and whether the second came. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "status.h"

enum { BYTES = 10000, AGAIN = 10000 };

int main(int count, char **arguments) {
    struct rlimit limit;
    const rlim_t more = (rlim_t)atol(arguments[count - 1]) << 20;
    free(malloc(100));
    getrlimit(RLIMIT_DATA, &limit);
    limit.rlim_cur = ((rlim_t)status_kib("\nVmData:") << 10) + more;
    setrlimit(RLIMIT_DATA, &limit);
    size_t first = 0;
    while (malloc(BYTES) != NULL) first++;
    const int error = errno;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_DATA, &limit);
    size_t again = 0;
    while (again < AGAIN && malloc(BYTES) != NULL) again++;
    printf("%zu MiB, ENOMEM %d, again %d\n", first * BYTES >> 20, error == ENOMEM, again == AGAIN);
    return 0;
}
