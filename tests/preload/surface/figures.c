/* SPDX-License-Identifier: MIT */
/* Makes and frees blocks of known number and size, and prints mallinfo2 at each step: lines "step=.. field=..".
 * malloc_info goes to the file argv[1], malloc_stats to standard error, both at the step "half".
 *
 * Nothing else may allocate on the way: both streams have static buffers. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

struct kind {
    size_t size;
    unsigned count;
};

static const struct kind kinds[] = {{24, 3000}, {100, 1000}, {5000, 200}, {100000, 20}, {1000000, 3}, {3 << 20, 4}};

enum { KINDS = sizeof kinds / sizeof kinds[0], COUNT_MAX = 3000 };

static void *blocks[KINDS][COUNT_MAX];

static size_t usable_small, usable_huge; /* of the blocks that live */

static void make(unsigned kind) {
    for (unsigned i = 0; i < kinds[kind].count; i++) {
        blocks[kind][i] = malloc(kinds[kind].size);
        *(kinds[kind].size > 1 << 20 ? &usable_huge : &usable_small) += malloc_usable_size(blocks[kind][i]);
    }
}

/* Every second one from `first` on. */
static void drop(unsigned kind, unsigned first) {
    for (unsigned i = first; i < kinds[kind].count; i += 2) {
        *(kinds[kind].size > 1 << 20 ? &usable_huge : &usable_small) -= malloc_usable_size(blocks[kind][i]);
        free(blocks[kind][i]);
    }
}

static void say(const char *step, long result) {
    struct mallinfo2 info = mallinfo2();
    struct mallinfo small = mallinfo();
    printf(
        "step=%s arena=%zu ordblks=%zu smblks=%zu hblks=%zu hblkhd=%zu usmblks=%zu fsmblks=%zu uordblks=%zu "
        "fordblks=%zu keepcost=%zu usable_small=%zu usable_huge=%zu result=%ld int_arena=%d int_hblkhd=%d "
        "int_uordblks=%d\n",
        step, info.arena, info.ordblks, info.smblks, info.hblks, info.hblkhd, info.usmblks, info.fsmblks, info.uordblks,
        info.fordblks, info.keepcost, usable_small, usable_huge, result, small.arena, small.hblkhd, small.uordblks);
}

int main(int argc, char **argv) {
    static char output_buffer[1 << 16], xml_buffer[1 << 16];
    FILE *xml = argc == 2 ? fopen(argv[1], "w") : NULL;
    if (xml == NULL) {
        fprintf(stderr, "usage: figures FILE, which must be writable\n");
        return 2;
    }
    setvbuf(xml, xml_buffer, _IOFBF, sizeof xml_buffer);
    setvbuf(stdout, output_buffer, _IOFBF, sizeof output_buffer);
    say("start", 0);
    for (unsigned kind = 0; kind < KINDS; kind++) {
        make(kind);
    }
    say("made", malloc_info(1, xml));
    for (unsigned kind = 0; kind < KINDS; kind++) {
        drop(kind, 0);
    }
    say("half", malloc_info(0, xml));
    malloc_stats();
    for (unsigned kind = 0; kind < KINDS; kind++) {
        drop(kind, 1);
    }
    say("none", 0);
    int trimmed = malloc_trim(0);
    say("trimmed", trimmed);
    trimmed = malloc_trim(0);
    say("again", trimmed);
    void *large[2] = {malloc((size_t)3 << 29), malloc((size_t)3 << 29)};
    usable_huge = malloc_usable_size(large[0]) + malloc_usable_size(large[1]);
    say("large", large[0] != NULL && large[1] != NULL);
    return fclose(xml) != 0 || fflush(stdout) != 0;
}
