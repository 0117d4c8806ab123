/* SPDX-License-Identifier: MIT */
/* Environments from seeds, changed from such as are right, in every build. `bazel run --config=fuzz //tests/fuzz:options_fuzzer --
 * --minutes=10` looks for more. */
#include <string.h>

#include "hakmem/base/random.h"
#include "tests/fuzz/options.h"
#include "tests/harness/harness.h"

#define SEEDS HAK_TEST_SCALE(20000u)
#define BYTES_MOST 6000u

static const char *const right[] = {
    "DUMP_SIGNAL=TERM",
    "GUARD=zero,check,canary,quarantine,random,pages,zero_size,metadata",
    "GUARD=none",
    "GUARD=all",
    "HELP=0",
    "LEAKS=1",
    "NUMA=1",
    "ON_MISUSE=report",
    "PROFILE=/a/path/to.pb.gz",
    "PROFILE_FRAMES=32",
    "PROFILE_RATE=1099511627776",
    "PUBLISH=1",
    "PURGE_DELAY_MS=3600000",
    "PURGE_DELAY_MS=-1",
    "PURGE_DELAY_MS=9223372036854775807",
    "PURGE_THREAD=auto",
    "STATS=json:/a/path/%p",
    "STATS=text",
    "THP=madvise",
};

static uint64_t random_state;

static unsigned below(unsigned bound) { return (unsigned)(random_xorshift64(&random_state) >> 16) % bound; }

/* In the middle of the bytes: one more, one less, one that is another, or very many. Result: how many there are */
static size_t change(char *bytes, size_t count) {
    static const char likely[] = ",:=-+0123456789 \n%/\t.x";
    const char one = below(3) == 0 ? (char)below(256) : likely[below(sizeof likely - 1)];
    const size_t at = count == 0 ? 0 : below((unsigned)count);
    switch (below(8)) {
    case 0:
        if (count > 0) memmove(bytes + at, bytes + at + 1, --count - at);
        break;
    case 1:
        for (const size_t end = 4000 + below(200); count < end;) bytes[count++] = one;
        break;
    case 2:
    case 3:
        memmove(bytes + at + 1, bytes + at, count - at);
        bytes[at] = one;
        count++;
        break;
    default:
        if (count > 0) bytes[at] = one;
    }
    return count;
}

static void run_seeds(void) {
    static char bytes[BYTES_MOST];
    random_state = 20261130;
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        size_t count = 0;
        for (unsigned lines = 1 + below(3); lines > 0; lines--) {
            const char *const line = right[below(sizeof right / sizeof *right)];
            if (count > 0) bytes[count++] = '\n';
            memcpy(bytes + count, line, strlen(line));
            count += strlen(line);
        }
        for (unsigned changes = below(5); changes > 0 && count < BYTES_MOST - 1000; changes--)
            count = change(bytes, count);
        const char *const wrong = options_run((const uint8_t *)bytes, count);
        if (wrong != NULL) {
            harness_fail(__FILE__, __LINE__, "%s: %.*s", wrong, (int)count, bytes);
            return;
        }
    }
}

/* In a process of its own: nothing else is to be ruled by these. */
HAK_TEST(Options, OfAnyTextAreInTheirRangeOrStayWhatTheyWere) { HAK_EXPECT_EXIT_OK(run_seeds()); }

static const char *run_text(const char *text) { return options_run((const uint8_t *)text, strlen(text)); }

static void run_known(void) {
    for (unsigned i = 0; i < sizeof right / sizeof *right; i++) HAK_EXPECT(run_text(right[i]) == NULL);
    HAK_EXPECT(run_text("LEAKS=1\nLEAKS=2") == NULL);
    HAK_EXPECT(run_text("") == NULL);
    HAK_EXPECT(run_text("\n=\nHAKMEM_") == NULL);
}

HAK_TEST(Options, OfKnownTextsToo) { HAK_EXPECT_EXIT_OK(run_known()); }
