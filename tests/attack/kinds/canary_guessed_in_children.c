/* SPDX-License-Identifier: MIT */
/* The bytes behind a block are guessed one by one, each in a child that dies where it is wrong: the first three. */
#include <sys/wait.h>

#include "tests/attack/attack.h"

static char *block;
static size_t size;
static unsigned char known[4];

/* Whether a child that overflows the block by what is known survives its free, three times in a row. */
static bool survives(unsigned bytes) {
    for (unsigned i = 0; i < 3; i++) {
        const pid_t child = fork();
        attack_require(child >= 0);
        if (child == 0) {
            close(STDERR_FILENO);
            memcpy(block + size, known, bytes);
            free(block);
            _exit(0);
        }
        int status = 0;
        attack_require(waitpid(child, &status, 0) == child);
        if (!WIFEXITED(status)) return false;
    }
    return true;
}

int main(int argc, char **argv) {
    (void)argc;
    size = malloc_usable_size(malloc(attack_size(argv)));
    block = attack_malloc(size);
    attack_begin();
    for (unsigned byte = 0; byte < 3; byte++) {
        unsigned guess = 0;
        while (guess < 256 && (known[byte] = (unsigned char)guess, !survives(byte + 1))) guess++;
        if (guess == 256) {
            attack_over();
            attack_end(false, "");
        }
    }
    attack_gained("an overflow that nobody notices");
}
