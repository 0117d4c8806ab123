/* SPDX-License-Identifier: MIT */
/* See place.h. */
#include "hakmem/region/place.h"

#include <string.h>

#include "hakmem/base/config.h"
#include "hakmem/guard/chacha.h"
#include "hakmem/os/os.h"

/* Everything is placed from a sixteenth of the address space on, over 19 32nds of it: on x86-64 from 8 TiB to 84 TiB. Below
 * lies what programs map at addresses of their own choice (the heaps of Java and Go), above the program itself and what the
 * kernel maps. */
#define PLACE_LOWEST ((uint64_t)1 << (hak_os_address_bits() - 4))
#define PLACE_BYTES (((uint64_t)1 << (hak_os_address_bits() - 5)) * 19)

/* As many as ChaCha has for data that anybody may see. */
#define PLACE_ROUNDS 20

/* The draws have nothing in common with others that are made of the same bytes. */
#define PLACE_DOMAIN 0x63616c70u

static bool place_is_random;        /* constant after init */
static uint64_t place_blocks_end;   /* constant after init; 0: not chosen */
static uint32_t place_regions_seen; /* region lock */

#define PLACE_DRAWS 3

static void place_draw(uint32_t number, uint64_t out[PLACE_DRAWS]) {
    const uint32_t nonce[CHACHA_NONCE_WORDS] = {number, PLACE_DOMAIN, 0};
    uint32_t key[CHACHA_KEY_WORDS] = {0};
    chacha_lanes blocks[CHACHA_WORDS];
    hak_os_process_random(key);
    hak_chacha_blocks(key, nonce, PLACE_ROUNDS, blocks);
    memcpy(out, blocks, PLACE_DRAWS * sizeof *out);
}

/* One of the multiples of `unit` in the range; all are equally likely but for one in 2^29. */
static uint64_t place_of(uint64_t bits, uint64_t unit) { return PLACE_LOWEST + bits % (PLACE_BYTES / unit) * unit; }

void hak_place_init(void) {
    uint64_t drawn[PLACE_DRAWS];
    /* The sanitizers know which addresses a program may use. */
    if (HAK_THREAD_SANITIZER || HAK_ADDRESS_SANITIZER || !hak_os_places_vary()) {
        return;
    }
    place_draw(0, drawn);
    place_is_random = true;
    place_blocks_end = place_of(drawn[1], HAK_CHUNK_BYTES);
    hak_os_place(place_of(drawn[0], HAK_REGION_BYTES), place_blocks_end, place_of(drawn[2], hak_os_page_size()));
}

uintptr_t hak_place_blocks_end(void) { return (uintptr_t)place_blocks_end; }

unsigned hak_place_skip(void) {
    uint64_t drawn[PLACE_DRAWS];
    if (!place_is_random) {
        return 0;
    }
    place_draw(++place_regions_seen, drawn);
    return (unsigned)(drawn[0] % (PLACE_SKIP_MOST + 1));
}
