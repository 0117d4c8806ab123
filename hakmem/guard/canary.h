/* Canaries: bytes behind what was asked for, up to the end of the block.
 *
 *     p                    p + size                        p + block_bytes
 *     +--------------------+-----------+--------------------+
 *     | what was asked for | fill      | trailer, 8 bytes   |
 *     +--------------------+-----------+--------------------+
 *                           word, word..  40 bits made of word and slack, 24 bits of slack ^ word
 *
 * word is made of the address and of a secret of the process; no byte of it or of the 40 bits is 0, so that the most
 * frequent overflow, a string's end, always changes one. slack == block_bytes - size, at least 8: every request is
 * made larger by the trailer, so that there always is one.
 *
 * What an overflow can forge: it meets the byte behind the block first. To leave it as it was it has to know the word of
 * this very block, by reading it first, for example. Who writes only to where the size is kept, past all before it, has to
 * hit the 40 bits that go with the other size. So whoever does not know the secret cannot make free, realloc or
 * malloc_usable_size believe another size. Who reads and writes out of bounds at will is not stopped.
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
#define CANARY_CHECK_MASK (((uint64_t)1 << (64 - CANARY_SLACK_BITS)) - 1)

extern uint64_t canary_secret[2]; /* constant after init */

void canary_init(void);

HAK_ALWAYS_INLINE uint64_t canary_word(const void *p) {
    uint64_t mixed = ((uint64_t)(uintptr_t)p ^ canary_secret[0]) * canary_secret[1];
    return (mixed ^ mixed >> 32) | 0x0101010101010101u;
}

HAK_ALWAYS_INLINE uint64_t canary_trailer(uint64_t word, uint64_t slack) {
    uint64_t mixed = word ^ slack * canary_secret[1];
    mixed = ((mixed ^ mixed >> 32) | 0x0101010101u) & CANARY_CHECK_MASK;
    return mixed | ((word >> (64 - CANARY_SLACK_BITS) ^ slack) << (64 - CANARY_SLACK_BITS));
}

/* Two words of fill are all that most blocks have room for; they are written and read without a branch, since the sizes of
 * a program's blocks cannot be predicted. */
#define CANARY_SHORT_FILL 16

/* First byte behind the fill. pre: size + CANARY_BYTES <= block_bytes */
HAK_ALWAYS_INLINE size_t canary_fill_end(size_t block_bytes, size_t size) {
    const size_t trailer = block_bytes - CANARY_BYTES;
    return trailer - size > CANARY_FILL_BYTES ? size + CANARY_FILL_BYTES : trailer;
}

/* Nothing less than the word at `at`, or at `end` where that comes first. */
HAK_ALWAYS_INLINE void canary_put(char *block, size_t at, size_t end, uint64_t word) {
    memcpy(block + (at < end ? at : end), &word, sizeof word);
}

/* The bits of the bytes from `at` up to `end`, at most 8 of them, that are not those of `word`. */
HAK_ALWAYS_INLINE uint64_t canary_changed(const char *block, size_t at, size_t end, uint64_t word) {
    const size_t from = at < end ? at : end;
    const size_t valid = end - from < sizeof word ? end - from : sizeof word;
    uint64_t found;
    memcpy(&found, block + from, sizeof found);
    const uint64_t mask = (((uint64_t)1 << (8 * valid & 63)) - 1) | ((uint64_t)0 - (uint64_t)(valid == sizeof word));
    return (found ^ word) & mask;
}

/* pre: size + CANARY_BYTES <= block_bytes */
HAK_ALWAYS_INLINE void canary_write(void *p, size_t block_bytes, size_t size) {
    const uint64_t word = canary_word(p);
    const size_t end = canary_fill_end(block_bytes, size);
    char *block = p;
    /* A word that reaches behind the fill reaches into the trailer, which is written after it. */
    canary_put(block, size, end, word);
    canary_put(block, size + sizeof word, end, word);
    for (size_t at = size + CANARY_SHORT_FILL; HAK_UNLIKELY(at < end); at += sizeof word) {
        memcpy(block + at, &word, sizeof word);
    }
    const uint64_t trailer = canary_trailer(word, block_bytes - size);
    memcpy(block + block_bytes - CANARY_BYTES, &trailer, sizeof trailer);
}

/* Whether what canary_write wrote is there still; *size is what was asked for then. */
HAK_ALWAYS_INLINE bool canary_read(const void *p, size_t block_bytes, size_t *size) {
    const uint64_t word = canary_word(p);
    const char *block = p;
    uint64_t found;
    memcpy(&found, block + block_bytes - CANARY_BYTES, sizeof found);
    const uint64_t slack = (found ^ word) >> (64 - CANARY_SLACK_BITS);
    if (HAK_UNLIKELY(found != canary_trailer(word, slack) || slack < CANARY_BYTES || slack > block_bytes)) {
        return false;
    }
    *size = block_bytes - slack;
    const size_t end = canary_fill_end(block_bytes, *size);
    uint64_t changed = canary_changed(block, *size, end, word) | canary_changed(block, *size + sizeof word, end, word);
    for (size_t at = *size + CANARY_SHORT_FILL; HAK_UNLIKELY(at < end); at += sizeof word) {
        changed |= canary_changed(block, at, end, word);
    }
    return changed == 0;
}

#endif
