/* SPDX-License-Identifier: MIT */
/* --minutes=N for the fuzzers of this folder, beside libFuzzer's own options: LLVMFuzzerInitialize is called before these are read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTION "--minutes="

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    static char seconds[64];
    for (int i = 1; i < *argc; i++) {
        char *const value = (*argv)[i] + sizeof OPTION - 1;
        char *end = NULL;
        if (strncmp((*argv)[i], OPTION, sizeof OPTION - 1) != 0) continue;
        const double minutes = strtod(value, &end);
        if (end == value || *end != '\0' || !(minutes > 0 && minutes < 1e6)) {
            fprintf(stderr, "%s: --minutes takes a number above 0 and below 1000000\n", (*argv)[i]);
            exit(2);
        }
        snprintf(seconds, sizeof seconds, "-max_total_time=%.0f", minutes * 60 < 1 ? 1 : minutes * 60);
        (*argv)[i] = seconds;
    }
    return 0;
}
