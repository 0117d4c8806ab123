/* SPDX-License-Identifier: MIT */
/* A canary is guessed byte by byte, a child a guess, which overflows a block by what is known and the guess, and frees the block:
 * where the child lives on, the guess was right. Prints how many bytes were guessed, of 16. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 112, BYTES = 16, GUESSES = 256 };

static char *volatile block;

static int lives(const unsigned char *bytes, int count) {
    int status;
    const pid_t pid = fork();
    if (pid == 0) {
        close(STDERR_FILENO);
        for (int i = 0; i < count; i++) block[SIZE + i] = (char)bytes[i];
        free(block);
        _exit(0);
    }
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status);
}

int main(void) {
    unsigned char known[BYTES];
    int bytes = 0;
    block = malloc(SIZE);
    while (bytes < BYTES) {
        int guess = 0;
        do {
            known[bytes] = (unsigned char)guess;
        } while (!lives(known, bytes + 1) && ++guess < GUESSES);
        if (guess == GUESSES) break;
        bytes++;
    }
    printf("%d of %d\n", bytes, BYTES);
    return 0;
}
