/* SPDX-License-Identifier: MIT */
/* Blocks of TAKEN bytes are freed as blocks of SAID bytes, as operator delete does it. */
#include "tests/attack/attack.h"

void delete_sized(void *p, size_t size) __asm__("_ZdlPvm") __attribute__((weak));

int main(void) {
    if (delete_sized == NULL) attack_absent();
    attack_spray(TAKEN, 400);
    attack_begin();
    for (unsigned i = 0; i < 8; i++) delete_sized(malloc(TAKEN), SAID);
    attack_over();
    attack_free_oldest(300);
    attack_spray(TAKEN, ATTACK_MANY);
    attack_end(attack_spray_overlaps(SAID == SIZE_MAX ? TAKEN : SAID, ATTACK_MANY), "a block with two owners");
}
