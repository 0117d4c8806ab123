/* Publishes and is profiled as root, then goes into the folder of the first argument for good, gives up root, and ends when
 * standard input does. Prints its number when its page is there, and a line when it is somebody else. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int has_page(void) {
    char line[512];
    int found = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && !found && fgets(line, sizeof line, maps) != NULL) found = strstr(line, "/memfd:hakmem ") != NULL;
    if (maps != NULL) fclose(maps);
    return found;
}

int main(int argc, char **argv) {
    const struct timespec pause = {0, 10000000};
    if (argc < 2) return 2;
    while (!has_page()) nanosleep(&pause, NULL);
    if (chroot(argv[1]) != 0 || chdir("/") != 0 || setgid(65534) != 0 || setuid(65534) != 0) return 1;
    printf("%d\n", (int)getpid());
    fflush(stdout);
    while (getchar() != EOF) {
    }
    return 0;
}
