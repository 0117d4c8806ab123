/* SPDX-License-Identifier: MIT */
/* Writing without the program's notice: no signal is left of it, and none of the program's is lost. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "hakmem/base/quiet.h"
#include "tests/harness/harness.h"

static volatile sig_atomic_t signals_seen;

static void count_signal(int number) {
    (void)number;
    signals_seen++;
}

static void catch_signals(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = count_signal;
    sigaction(SIGPIPE, &action, NULL);
    sigaction(SIGXFSZ, &action, NULL);
    signals_seen = 0;
}

static int unread_pipe(void) {
    int ends[2];
    if (pipe(ends) != 0) return -1;
    close(ends[0]);
    return ends[1];
}

static bool is_waiting(int number) {
    sigset_t waiting;
    sigpending(&waiting);
    return sigismember(&waiting, number) == 1;
}

static bool is_blocked(int number) {
    sigset_t blocked;
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    return sigismember(&blocked, number) == 1;
}

HAK_TEST_ISOLATED(Quiet, NobodyReads, "") {
    catch_signals();
    const int file = unread_pipe();
    errno = EDOM;
    HAK_EXPECT_EQ(hak_quiet_write(file, "text", 4), EPIPE);
    HAK_EXPECT_EQ(errno, EDOM);
    HAK_EXPECT(!is_blocked(SIGPIPE));
    HAK_EXPECT(!is_waiting(SIGPIPE));
    HAK_EXPECT_EQ(signals_seen, 0);
}

HAK_TEST_ISOLATED(Quiet, FileMayNotGrow, "") {
    catch_signals();
    char path[] = "/tmp/quiet.XXXXXX";
    const int file = mkstemp(path);
    HAK_ASSERT_TRUE(file >= 0);
    unlink(path);
    const struct rlimit limit = {3, RLIM_INFINITY};
    HAK_ASSERT_TRUE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    HAK_EXPECT_EQ(hak_quiet_write(file, "text", 4), EFBIG);
    HAK_EXPECT_EQ(lseek(file, 0, SEEK_END), 3);
    HAK_EXPECT(!is_blocked(SIGXFSZ));
    HAK_EXPECT_EQ(signals_seen, 0);
}

HAK_TEST_ISOLATED(Quiet, SignalOfTheProgramStays, "") {
    catch_signals();
    sigset_t pipes;
    sigemptyset(&pipes);
    sigaddset(&pipes, SIGPIPE);
    sigprocmask(SIG_BLOCK, &pipes, NULL);
    raise(SIGPIPE);
    HAK_EXPECT_EQ(hak_quiet_write(unread_pipe(), "text", 4), EPIPE);
    HAK_EXPECT(is_blocked(SIGPIPE));
    HAK_EXPECT(is_waiting(SIGPIPE));
    sigprocmask(SIG_UNBLOCK, &pipes, NULL);
    HAK_EXPECT_EQ(signals_seen, 1);
}

HAK_TEST_ISOLATED(Quiet, BlockedSignalIsNotLeftWaiting, "") {
    sigset_t pipes;
    sigemptyset(&pipes);
    sigaddset(&pipes, SIGPIPE);
    sigprocmask(SIG_BLOCK, &pipes, NULL);
    HAK_EXPECT_EQ(hak_quiet_write(unread_pipe(), "text", 4), EPIPE);
    HAK_EXPECT(!is_waiting(SIGPIPE));
}

HAK_TEST(Quiet, WritesAll) {
    int ends[2];
    char text[4] = "";
    HAK_ASSERT_TRUE(pipe(ends) == 0);
    HAK_EXPECT_EQ(hak_quiet_write(ends[1], "text", 4), 0);
    HAK_EXPECT_EQ(read(ends[0], text, 4), 4);
    HAK_EXPECT_EQ(memcmp(text, "text", 4), 0);
    close(ends[0]);
    close(ends[1]);
    HAK_EXPECT_EQ(hak_quiet_write(ends[1], "text", 4), EBADF);
}
