/* SPDX-License-Identifier: MIT */
/* What the programs of kinds/ share: how one says what became of its attack, and what an attacker would do to a heap to
 * prepare it.
 *
 * A program prints "attack" before the bug and "over" after it, so whoever stops it is known to have done so at once or
 * later. It ends with status 0 after a line "gained: ..." and with 1 where the attacker got nothing; 3 if the library
 * lacks the function, 4 if the program itself failed. */
#ifndef TESTS_ATTACK_ATTACK_H
#define TESTS_ATTACK_ATTACK_H

#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whoever stops what stands between, stops it at once. */
void attack_begin(void);
void attack_over(void);

_Noreturn void attack_gained(const char *what);
_Noreturn void attack_absent(void);
/* Gained, or an ordinary exit, at which the allocator may still look. */
_Noreturn void attack_end(bool gained, const char *what);
/* Ends the program where `right` is false: it could not attack. */
void attack_require(bool right);

/* The first argument: bytes of a block. */
size_t attack_size(char **argv);

/* The blocks that the program lives on: their first and last bytes are OWNED, and nobody else's are. */
#define ATTACK_OWNED 'V'
char *attack_malloc(size_t size);
char *attack_own(char *p, size_t size);  /* enters a block */
void attack_forget(const char *p);       /* no longer the program's, freed or about to be */
void attack_free(char *p);               /* forgets and frees it */
void attack_free_oldest(unsigned count); /* so many, but at most half of all: the program goes on */
/* So many further live blocks; ATTACK_MANY: 8 MiB of them, which is the most, but at least 8. */
#define ATTACK_MANY UINT32_MAX
void attack_spray(size_t size, unsigned count);
char *attack_spoiled(void);                              /* a live block whose bytes somebody else wrote, or NULL */
bool attack_has_two_owners(void);                        /* whether two live blocks overlap */
bool attack_spray_overlaps(size_t size, unsigned count); /* whether they do, as so many are added */
bool attack_is_owned(uintptr_t address);                 /* whether it lies in a live block */

/* Of a spray of blocks, the two that lie nearest to each other: the lowest such pair, or the highest. `size` is what
 * the allocator says that a block of the wanted size can take, so that nothing is left unused behind it. */
struct attack_pair {
    char *low, *high;
    size_t size;
};
struct attack_pair attack_neighbours(size_t size, bool highest);

/* What a forged pointer leads to: memory of the program that no allocator knows. */
#define ATTACK_TARGET_BYTES 262144
extern char attack_target[ATTACK_TARGET_BYTES];
/* Whether malloc gives out a part of it within so many calls. */
bool attack_malloc_returns_target(size_t size);
bool attack_target_is_written(void);

/* The words that an index out of bounds reaches from p, as an attacker who knows the build does: the writable memory of
 * p's aligned 32 MiB, without live blocks. */
#define ATTACK_REACH_BYTES ((uintptr_t)32 << 20)
void attack_for_each_word(const void *p, void (*visit)(uint64_t *word));
/* The same of all other writable memory, but stacks and the program's own. */
void attack_for_each_far_word(const void *p, void (*visit)(uint64_t *word));
/* Keeps the words that an index reaches from p, and writes those back that changed since and are no live block's. */
void attack_keep_words(const void *p);
void attack_restore_words(void);
/* Whether the value is an address of this process. */
bool attack_is_mapped(uint64_t value);

/* Makes the attempts, each in a child of its own, until one gains: the attacker knows the build, and so which one that
 * is. Where none gains, and one was stopped, makes that one here as well. An attempt says itself that the bug is over. */
void attack_try(unsigned attempts, bool (*attempt)(unsigned number), const char *what);

/* So often another thread frees the block that `next` gives, counted from 1, at the same moment as `here` is called with
 * it by this one. Marks where the bug begins and ends. */
#define ATTACK_ROUNDS 10000
void attack_race(char *(*next)(unsigned round), void (*here)(char *block));

/* Starts the program anew, often, and asks each for a sample of itself. The result: of 1,000 pairs of starts, how many
 * gave the same sample; 31 where each of 32 samples is as likely. Does not return in the programs that it starts. */
unsigned attack_equal_permille(char **argv, uint64_t (*sample)(size_t size));
/* The same, and how many bits of the samples vary: are 1 in a quarter to three quarters of the starts. */
unsigned attack_varying_bits(char **argv, uint64_t (*sample)(size_t size));

#endif
