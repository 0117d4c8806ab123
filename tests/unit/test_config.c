/* SPDX-License-Identifier: MIT */
/* What was built, against what the headers say and what the variant's name promises: a variant that was
 * built with other switches than its name's fails here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hakmem/flags/flags.h"
#include "hakmem/hakmem.h"
#include "tests/harness/harness.h"

/* Experiments that are flipped stand behind, "+learn=elo". */
HAK_TEST(Config, StringNamesTheSwitchesOfTheHeaders) {
    char expected[32] = "";
    if (HAK_P0_CLASS_TABLE) strcat(expected, "+p0");
    if (HAK_P1_BATCHED_STATS) strcat(expected, "+p1");
    if (HAK_P2_INLINE_FAST_PATH) strcat(expected, "+p2");
    if (HAK_P3_SENTINELS) strcat(expected, "+p3");
    const char *switches = expected[0] != '\0' ? expected + 1 : "none", *config = hak_config_string();
    HAK_EXPECT(strncmp(config, switches, strlen(switches)) == 0);
    const char *behind = config + strlen(switches);
    HAK_EXPECT(behind[0] == '\0' || (behind[0] == '+' && strcspn(behind, "=") < strcspn(behind + 1, "+")));
}

HAK_TEST(Config, BuildIsTheOneThatTheVariantIsNamedFor) {
    const char *switches = getenv("HAK_TEST_CONFIG");
    const char *classes = getenv("HAK_TEST_CLASSES");
    const char *table = getenv("HAK_TEST_TABLE");
    if (switches == NULL || classes == NULL || table == NULL) HAK_SKIP("not run as a variant");
    char built_table[16];
    snprintf(built_table, sizeof built_table, "%u", 1024 / hak_table_granularity() + 1);
    HAK_EXPECT_STREQ(hak_config_string(), switches);
    HAK_EXPECT_STREQ(hak_classes_string(), classes);
    HAK_EXPECT_STREQ(built_table, table);
}

HAK_TEST(Config, StatisticsAreExactWithP1Only) {
    if (HAK_COUNTS_EVERY != 0) HAK_SKIP("test_experiments");
    struct hak_stats stats;
    hak_stats_get(&stats);
    HAK_EXPECT_EQ(stats.exact, HAK_P1_BATCHED_STATS);
}
