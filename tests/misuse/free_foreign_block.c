/* A block of the C library is freed. */
#include "tests/misuse/misuse.h"

int main(int argc, char **argv) {
    (void)argc;
    hak_free(misuse_of(malloc(misuse_size(argv))));
    hak_thread_flush();
    return 0;
}
