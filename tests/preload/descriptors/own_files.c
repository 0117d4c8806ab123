/* SPDX-License-Identifier: MIT */
/* Closes descriptors, as daemons do, and opens files of its own in their place, in the folder of the first argument. Without
 * further arguments the first three stay.
 *
 *     own_files FOLDER 2               standard error's place is taken by such a file as well
 *     own_files FOLDER 2|3 no_thread   then a child of it, to which the system gives no thread, allocates; from root it becomes
 *                                      another user first, since root's threads are not limited
 *     own_files FOLDER 2|3 slabs       then it takes more slabs than guard full has inaccessible pages for */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILES 300

/* Beyond half of a 32nd of the system's mappings one slab in 16 has such a page, so that the second half is gone after eight
 * and a half times as many slabs as the whole. */
#define SLABS_OF_MAPPINGS(most) ((most) / 32 * 12)

static int open_files(int first) {
    char name[16];
    closefrom(first);
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "%d", i);
        const int file = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
        if (file < 0 || write(file, "data\n", 5) != 5) return 1;
    }
    return 0;
}

static void end_with_child(pid_t child) {
    int status = -1;
    _exit(child > 0 && waitpid(child, &status, 0) == child && status == 0 ? 0 : 1);
}

static int allocate_without_threads(int first) {
    const struct rlimit none = {0, 0};
    const pid_t child = fork();
    if (child != 0) end_with_child(child);
    if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) return 1;
    if (setrlimit(RLIMIT_NPROC, &none) != 0 || open_files(first) != 0) return 1;
    for (int i = 0; i < 1000; i++) {
        void *volatile p = malloc(1000);
        if (i % 100 == 0) free(malloc(1000000));
        if (p == NULL) return 1;
    }
    return 0;
}

static long most_mappings(void) {
    long most = 0;
    FILE *file = fopen("/proc/sys/vm/max_map_count", "r");
    if (file == NULL || fscanf(file, "%ld", &most) != 1) _exit(1);
    fclose(file);
    return most;
}

/* Blocks above 32 KiB are a slab each. */
static int take_slabs(int first) {
    const long slabs = SLABS_OF_MAPPINGS(most_mappings());
    if (open_files(first) != 0) return 1;
    for (long i = 0; i < slabs; i++) {
        void *volatile p = malloc(40000);
        if (p == NULL) return 1;
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 2 || chdir(argv[1]) != 0) return 2;
    free(malloc(100));
    const int first = argc > 2 ? atoi(argv[2]) : 3;
    if (argc < 4) return open_files(first);
    return strcmp(argv[3], "slabs") == 0 ? take_slabs(first) : allocate_without_threads(first);
}
