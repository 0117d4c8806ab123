/* SPDX-License-Identifier: MIT */
/* Sequences of calls from seeds, and those that stand in corpus/, in every build. `bazel run --config=fuzz
 * //tests/fuzz:calls_fuzzer` looks for more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hakmem/base/random.h"
#include "tests/fuzz/calls.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"
#include "tests/harness/structures.h"

#define SEEDS HAK_TEST_SCALE(60)
#define CALLS 400u

static void expect_right(const uint8_t *bytes, size_t count, unsigned number) {
    const uint64_t before = census_live_blocks();
    const char *const wrong = calls_run(bytes, count);
    if (wrong != NULL) {
        fprintf(stderr, "sequence %u: %s\n", number, wrong);
    }
    HAK_EXPECT(wrong == NULL);
    HAK_EXPECT_EQ(census_live_blocks(), before);
}

/* Result: bytes; 0 where the line is none of hexadecimal digits. */
static size_t read_line(const char *line, uint8_t *bytes, size_t most) {
    const size_t digits = strspn(line, "0123456789abcdef");
    char digit[3] = "";
    for (size_t i = 0; i < digits / 2 && i < most; i++) {
        memcpy(digit, line + 2 * i, 2);
        bytes[i] = (uint8_t)strtoul(digit, NULL, 16);
    }
    return digits / 2;
}

HAK_TEST(Calls, OfTheCorpusDoWhatTheModelSays) {
    static char line[4096];
    static uint8_t bytes[sizeof line / 2];
    FILE *const corpus = fopen("tests/fuzz/corpus.txt", "r");
    HAK_ASSERT_TRUE(corpus != NULL);
    unsigned number = 0;
    while (fgets(line, sizeof line, corpus) != NULL) {
        const size_t count = read_line(line, bytes, sizeof bytes);
        if (count > 0) {
            expect_right(bytes, count, ++number);
        }
    }
    fclose(corpus);
    HAK_EXPECT_GT(number, 100);
}

HAK_TEST(Calls, OfSeedsDoWhatTheModelSays) {
    static uint8_t bytes[CALLS * 4];
    uint64_t random = 20261129;
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            bytes[i] = (uint8_t)(random_xorshift64(&random) >> 24);
        }
        expect_right(bytes, sizeof bytes, seed);
    }
    STRUCTURES_EXPECT_SOUND();
}
