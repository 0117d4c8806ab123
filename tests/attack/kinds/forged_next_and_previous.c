/* SPDX-License-Identifier: MIT */
/* Two words of a freed block are replaced, the next and the previous of a list that lies in it; then its neighbours are
 * freed and it is taken out: two writes where the attacker says. */
#include "tests/attack/attack.h"

int main(int argc, char **argv) {
    (void)argc;
    const size_t size = attack_size(argv);
    uint64_t *blocks[200];
    for (unsigned i = 0; i < 200; i++) blocks[i] = malloc(size);
    for (unsigned i = 0; i < 200; i += 2) free(blocks[i]);
    attack_begin();
    for (unsigned i = 0; i < 200; i += 2) {
        blocks[i][0] = (uintptr_t)attack_target + 1024;
        blocks[i][1] = (uintptr_t)attack_target + 2048;
    }
    attack_over();
    for (unsigned i = 1; i < 200; i += 2) free(blocks[i]);
    for (unsigned i = 0; i < 200; i++) blocks[i] = malloc(size);
    attack_end(attack_target_is_written(), "a write where the attacker chose");
}
