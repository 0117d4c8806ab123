/* SPDX-License-Identifier: MIT */
/* The published page's sequence lock: whatever a reader accepts was written as a whole. */
#include <stdint.h>
#include <stdlib.h>

#include "hakmem/observe/page.h"
#include "tests/harness/harness.h"
#include "tests/harness/threads.h"

/* At least, of each: on a busy machine all writes may fall into one turn of the writer's. */
#define WRITES HAK_TEST_SCALE(5000)
/* Few, since a reader only accepts what it reads between two writes. */
#define READINGS HAK_TEST_SCALE(20)
#define READERS 3

static struct publish_page page;

struct readings {
    uint64_t accepted[READERS];
    int satisfied; /* atomic; readers that have enough */
    int done;      /* atomic */
};

/* Texts that differ in length and in every word, made before, so that the writer does nothing but write. */
#define TEXTS 8
#define TEXT_WORDS 2000

static uint64_t texts[TEXTS][TEXT_WORDS];

static size_t text_length(uint64_t number) { return 8 * (TEXT_WORDS - 100 * number) - number; }

static void make_texts(void) {
    for (uint64_t number = 0; number < TEXTS; number++) {
        for (uint64_t word = 0; word < TEXT_WORDS; word++) texts[number][word] = number * TEXT_WORDS + word;
    }
}

static void write_all(struct readings *readings) {
    for (uint64_t i = 0; i < WRITES || __atomic_load_n(&readings->satisfied, __ATOMIC_RELAXED) < READERS; i++) {
        publish_write(&page, i, 500, texts[i % TEXTS], text_length(i % TEXTS));
        /* A rest now and then, so that readers find a whole text however the machine is loaded. */
        for (unsigned rest = 0; i % 16 == 0 && rest < 20000; rest++) __atomic_signal_fence(__ATOMIC_SEQ_CST);
    }
}

static bool is_whole(const uint64_t *text, size_t length) {
    const uint64_t number = text[0] / TEXT_WORDS;
    bool whole = number < TEXTS && length == text_length(number);
    for (uint64_t word = 0; whole && word < (length + 7) / 8; word++) whole = text[word] == number * TEXT_WORDS + word;
    return whole;
}

static void write_or_read(void *argument, unsigned index) {
    struct readings *readings = (struct readings *)argument;
    static uint64_t text[READERS][PUBLISH_TEXT_WORDS];
    size_t length;
    if (index == READERS) {
        write_all(readings);
        __atomic_store_n(&readings->done, 1, __ATOMIC_RELAXED);
        return;
    }
    while (__atomic_load_n(&readings->done, __ATOMIC_RELAXED) == 0) {
        if (publish_read(&page, text[index], &length)) {
            HAK_EXPECT(is_whole(text[index], length));
            if (++readings->accepted[index] == READINGS) __atomic_fetch_add(&readings->satisfied, 1, __ATOMIC_RELAXED);
        }
    }
}

HAK_TEST(Publish, ReadersAcceptWholeTextsOnly) {
    static struct readings readings;
    uint64_t text[1];
    make_texts();
    size_t length;
    HAK_EXPECT(!publish_read(&page, text, &length)); /* nothing was written yet */
    threads_run(READERS + 1, write_or_read, &readings);
    for (unsigned i = 0; i < READERS; i++) HAK_EXPECT_GE(readings.accepted[i], READINGS);
}

HAK_TEST(Publish, NoReaderAcceptsATextThatChangedMeanwhile) {
    static struct publish_page changing;
    uint64_t text[1] = {42};
    size_t length;
    publish_write(&changing, 1, 500, text, sizeof text);
    HAK_EXPECT(publish_read(&changing, text, &length));
    /* What is read is stored where the sequence lies: it changes between the two looks at it, without a second thread. */
    HAK_EXPECT(!publish_read(&changing, &changing.sequence, &length));
    HAK_EXPECT_EQ(changing.sequence, 42u);
}

HAK_TEST(Publish, NoReaderAcceptsAnUnfinishedText) {
    const uint64_t sequence = page.sequence;
    uint64_t text[PUBLISH_TEXT_WORDS];
    size_t length;
    page.sequence = sequence | 1;
    HAK_EXPECT(!publish_read(&page, text, &length));
    page.sequence = sequence;
}
