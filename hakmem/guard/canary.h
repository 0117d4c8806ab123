/* Canaries: bytes behind what was asked for, up to the end of the block.
 *
 *     p                    p + size                        p + block_bytes
 *     +--------------------+-----------+--------------------+
 *     | what was asked for | fill      | trailer, 8 bytes   |
 *     +--------------------+-----------+--------------------+
 *                           word, word..  40 bits of word, 24 bits of slack ^ word
 *
 * word is made of the address and of a secret of the process; none of its low seven bytes is 0, so that the most
 * frequent overflow, a string's end, always changes one. slack == block_bytes - size, at least 8: every request is
 * made larger by the trailer, so that there always is one.
 *
 * What an overflow can forge: it meets the byte behind the block first. To leave it as it was it has to know the word of
 * this very block, by reading it first, for example. The size lies behind bytes that are checked before it is believed,
 * and is accepted only where the fill that it implies is whole; so whoever does not know the word cannot make free,
 * realloc or malloc_usable_size believe another size. Who reads and writes out of bounds at will is not stopped.
 *
 * Of a long fill the first CANARY_FILL_BYTES are written: nobody is to touch the pages behind a large block. */
#ifndef HAKMEM_GUARD_CANARY_H
#define HAKMEM_GUARD_CANARY_H

#include <string.h>

#include "hakmem/base/compiler.h"

/* What a request is made larger by. */
#define CANARY_BYTES 8

#define CANARY_FILL_BYTES 64

/* The most that slack can be: 24 bits. Slack of a slab's block is below 1 MiB, that of a huge one below a chunk. */
#define CANARY_SLACK_BITS 24
#define CANARY_WORD_MASK (((uint64_t)1 << (64 - CANARY_SLACK_BITS)) - 1)

extern uint64_t canary_secret[2]; /* constant after init */

void canary_init(void);

HAK_ALWAYS_INLINE uint64_t canary_word(const void *p) {
    uint64_t mixed = ((uint64_t)(uintptr_t)p ^ canary_secret[0]) * canary_secret[1];
    return (mixed ^ mixed >> 32) | 0x0001010101010101u;
}

/* First byte behind the fill. */
HAK_ALWAYS_INLINE size_t canary_fill_end(size_t block_bytes, size_t size) {
    const size_t trailer = block_bytes - CANARY_BYTES;
    return trailer - size > CANARY_FILL_BYTES ? size + CANARY_FILL_BYTES : trailer;
}

/* pre: size + CANARY_BYTES <= block_bytes */
HAK_ALWAYS_INLINE void canary_write(void *p, size_t block_bytes, size_t size) {
    const uint64_t word = canary_word(p);
    char *block = p;
    /* The last word may reach into the trailer, which comes after it, or a little behind a bounded fill. */
    for (size_t at = size, end = canary_fill_end(block_bytes, size); at < end; at += sizeof word) {
        memcpy(block + at, &word, sizeof word);
    }
    const uint64_t slack = block_bytes - size;
    const uint64_t trailer = word ^ slack << (64 - CANARY_SLACK_BITS);
    memcpy(block + block_bytes - CANARY_BYTES, &trailer, sizeof trailer);
}

/* Whether what canary_write wrote is there still; *size is what was asked for then. */
HAK_ALWAYS_INLINE bool canary_read(const void *p, size_t block_bytes, size_t *size) {
    const uint64_t word = canary_word(p);
    const char *block = p;
    uint64_t found;
    memcpy(&found, block + block_bytes - CANARY_BYTES, sizeof found);
    found ^= word;
    const uint64_t slack = found >> (64 - CANARY_SLACK_BITS);
    if ((found & CANARY_WORD_MASK) != 0 || slack < CANARY_BYTES || slack > block_bytes) {
        return false;
    }
    *size = block_bytes - slack;
    uint64_t changed = 0;
    for (size_t at = *size, end = canary_fill_end(block_bytes, *size); at < end; at += sizeof word) {
        memcpy(&found, block + at, sizeof found);
        const size_t valid = end - at;
        const uint64_t mask = valid >= sizeof word ? ~(uint64_t)0 : ((uint64_t)1 << 8 * valid) - 1;
        changed |= (found ^ word) & mask;
    }
    return changed == 0;
}

#endif
