/* SPDX-License-Identifier: MIT */
/* Canaries: bytes behind what was asked for, up to the end of the block.
 *
 *     p                    p + size                        p + block_bytes
 *     +--------------------+-----------+--------------------+
 *     | what was asked for | fill      | trailer, 8 bytes   |
 *     +--------------------+-----------+--------------------+
 *                           word, word..  word ^ 2 * slack * factor
 *
 * word is made of the address and of secrets of the process, factor is another secret; no byte of word is 0, and not the
 * trailer's first one, so that the most frequent overflow, a string's end, always changes one. A first byte that is 0 would stop
 * overflows that copy strings, and miss that one.
 * slack == block_bytes - size, at least 8: every request is made larger by the trailer, so that there always is one.
 *
 * All of it is written and read as whole words at multiples of 8: a processor hands a word on from the store to the load only
 * where both are the same, and waits for the cache otherwise.
 *
 * What an overflow can forge: it meets the byte behind the block first. To leave it as it was it has to know the word of
 * this very block, by reading it first, for example. Who writes only to the trailer, past all before it, has to hit one of
 * the some thousand values of 2^64 that stand for a size. So whoever does not know the secrets cannot make free, realloc or
 * malloc_usable_size believe another size. Who reads and writes out of bounds at will is not stopped.
 *
 * Children of a fork have their parent's secrets, so that one child a guess, which dies where the guess is wrong, would tell a
 * word byte by byte. Once a process of the family found a changed canary, each further child has secrets of its own
 * (process/renew.h), and what one child tells holds for no other.
 *
 * Of a long fill only the first CANARY_FILL_BYTES and the rest of their last word are written: nobody is to touch the pages
 * behind a large block. */
#ifndef HAKMEM_GUARD_CANARY_H
#define HAKMEM_GUARD_CANARY_H

#include <string.h>

#include "hakmem/base/compiler.h"

/* What a request is made larger by. */
#define CANARY_BYTES 8

#define CANARY_FILL_BYTES 64

struct canary_secrets {
    uint64_t secret[2];
    uint64_t factor;  /* odd */
    uint64_t inverse; /* factor * inverse == 1 */
};

/* Constant after init, but for hak_canary_renew. */
extern struct canary_secrets hak_canary;

/* Draws the secrets, and maps the page that the family has in common. */
void hak_canary_init(void);

/* Notes for all processes of the family that a canary was changed, and whether one was. Any thread. */
HAK_COLD void hak_canary_note_changed(void);
bool hak_canary_was_changed(void);

/* Draws other secrets; *former: those until now. pre: the process has one thread */
void hak_canary_renew(struct canary_secrets *former);

/* Writes the canary of a live block anew, whose canary was written with those secrets; one that was changed stays as it is, and
 * is found as before. pre: as hak_canary_renew */
void hak_canary_rewrite(void *p, size_t block_bytes, struct canary_secrets *former);

__extension__ typedef unsigned __int128 canary_product;

/* Both factors change with the address, and both halves of their product are in the word: of one factor, or of the lower half
 * alone, the words of a slab are sums of a few numbers, which some of them give away. */
HAK_ALWAYS_INLINE uint64_t canary_word(const void *p) {
    const uint64_t address = (uintptr_t)p;
    const canary_product product = (canary_product)(address ^ hak_canary.secret[0]) * (address + hak_canary.secret[1]);
    return ((uint64_t)product ^ (uint64_t)(product >> 64)) | 0x0101010101010101u;
}

/* Twice the slack: so it leaves word's lowest bit, which is 1, as it is. */
HAK_ALWAYS_INLINE uint64_t canary_trailer(uint64_t word, uint64_t slack) {
    return word ^ 2 * slack * hak_canary.factor;
}

/* What canary_trailer was given. Of anything else: most likely more than any block has, and certainly so where the lowest bit
 * changed. */
HAK_ALWAYS_INLINE uint64_t canary_slack(uint64_t word, uint64_t trailer) {
    const uint64_t twice = (trailer ^ word) * hak_canary.inverse;
    return twice >> 1 | twice << 63;
}

/* All bits or none; not a choice, of which a compiler could make a branch. */
HAK_ALWAYS_INLINE uint64_t canary_mask(bool all) { return (uint64_t)0 - (uint64_t)all; }

HAK_ALWAYS_INLINE uint64_t canary_load(const char *block, size_t at) {
    uint64_t found;
    memcpy(&found, block + at, sizeof found);
    return found;
}

HAK_ALWAYS_INLINE void canary_store(char *block, size_t at, uint64_t word) { memcpy(block + at, &word, sizeof word); }

/* First byte behind the words of the fill; `first` is where the first of them is. */
HAK_ALWAYS_INLINE size_t canary_fill_end(size_t trailer, size_t first) {
    const size_t most = CANARY_FILL_BYTES + sizeof(uint64_t); /* the first word may hold a single byte of it */
    return trailer - first > most ? first + most : trailer;
}

/* Two words of fill are all that most blocks have room for; they are written and read without a branch, since the sizes of
 * a program's blocks cannot be predicted. A word of fill that would lie behind the last lies in the trailer's place.
 *
 * pre: size + CANARY_BYTES <= block_bytes, a multiple of 8 as p is */
HAK_ALWAYS_INLINE void canary_write(void *p, size_t block_bytes, size_t size) {
    const uint64_t word = canary_word(p);
    const size_t trailer = block_bytes - CANARY_BYTES, first = size & ~(size_t)7;
    const unsigned kept_bits = 8 * (size & 7);
    const uint64_t kept = canary_load(p, first) & (((uint64_t)1 << kept_bits) - 1);
    const size_t second = first + sizeof word;
    canary_store(p, first, kept | word << kept_bits);
    canary_store(p, second < trailer ? second : trailer, word);
    if (HAK_UNLIKELY(second + sizeof word < trailer)) {
        const size_t end = canary_fill_end(trailer, first);
        for (size_t at = second + sizeof word; at < end; at += sizeof word) {
            canary_store(p, at, word);
        }
    }
    canary_store(p, trailer, canary_trailer(word, block_bytes - size)); /* last: it may lie over a word of fill */
}

/* Clears what canary_write wrote behind a block of `size` bytes. */
HAK_ALWAYS_INLINE void canary_clear(void *p, size_t block_bytes, size_t size) {
    const size_t trailer = block_bytes - CANARY_BYTES;
    memset((char *)p + size, 0, canary_fill_end(trailer, size & ~(size_t)7) - size);
    canary_store(p, trailer, 0);
}

/* Whether what canary_write wrote is there still; *size is what was asked for then. */
HAK_ALWAYS_INLINE bool canary_read(const void *p, size_t block_bytes, size_t *size) {
    const uint64_t word = canary_word(p);
    const size_t trailer = block_bytes - CANARY_BYTES;
    const uint64_t slack = canary_slack(word, canary_load(p, trailer));
    if (HAK_UNLIKELY(slack - CANARY_BYTES > trailer)) {
        return false;
    }
    *size = block_bytes - slack;
    const size_t first = *size & ~(size_t)7, second = first + sizeof word;
    const unsigned kept_bits = 8 * (*size & 7);
    const uint64_t in_first = ((canary_load(p, first) >> kept_bits) ^ word) << kept_bits;
    const uint64_t in_second = canary_load(p, second < trailer ? second : trailer) ^ word;
    uint64_t changed = (in_first & canary_mask(first < trailer)) | (in_second & canary_mask(second < trailer));
    if (HAK_UNLIKELY(second + sizeof word < trailer)) {
        const size_t end = canary_fill_end(trailer, first);
        for (size_t at = second + sizeof word; at < end; at += sizeof word) {
            changed |= canary_load(p, at) ^ word;
        }
    }
    return changed == 0;
}

#endif
