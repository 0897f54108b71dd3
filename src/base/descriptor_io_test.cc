#include "base/descriptor_io.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>

namespace millrace {
namespace {

TEST(DescriptorIoTest, WritesAllOfItThroughSignalsAndAFullPipe) {
  struct sigaction interrupt = {}, before = {};
  interrupt.sa_handler = [](int) {};  // without SA_RESTART
  ASSERT_EQ(sigaction(SIGUSR1, &interrupt, &before), 0);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  std::string sent(1 << 20, 'x');
  for (size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 31 >> 8);
  int outcome = -1;
  std::thread writer([&] {
    outcome = WriteAll(ends[1], sent);
    close(ends[1]);
  });
  // The writer is blocked in a call that has written some of it, and then in one that wrote
  // nothing.
  int waiting = 0;
  while (ioctl(ends[0], FIONREAD, &waiting) == 0 && waiting == 0) std::this_thread::yield();
  for (int i = 0; i < 100; ++i) {
    pthread_kill(writer.native_handle(), SIGUSR1);
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  std::string received;
  char piece[4096];
  for (ssize_t n; (n = read(ends[0], piece, sizeof piece)) > 0;)
    received.append(piece, static_cast<size_t>(n));
  writer.join();
  close(ends[0]);
  sigaction(SIGUSR1, &before, nullptr);
  EXPECT_EQ(outcome, 0);
  EXPECT_TRUE(received == sent);
}

TEST(DescriptorIoTest, ReadsFromAnOffsetAndSaysWhereTheFileEnds) {
  std::string path = testing::TempDir() + "descriptor-XXXXXX";
  const int fd = mkstemp(path.data());
  ASSERT_GE(fd, 0);
  unlink(path.c_str());
  ASSERT_EQ(WriteAll(fd, "0123456789"), 0);
  char to[8] = {};
  ReadOutcome outcome = ReadAllAt(fd, to, 4, 3);
  EXPECT_EQ(outcome.size, 4u);
  EXPECT_EQ(outcome.error, 0);
  EXPECT_EQ(std::string(to, 4), "3456");
  outcome = ReadAllAt(fd, to, 8, 7);
  EXPECT_EQ(outcome.size, 3u);
  EXPECT_EQ(outcome.error, 0);
  ASSERT_EQ(WriteAll(fd, "a"), 0);  // the descriptor stood where the first write ended
  EXPECT_EQ(ReadAllAt(fd, to, 8, 10).size, 1u);
  close(fd);
}

TEST(DescriptorIoTest, SaysWhatWentWrong) {
  const int fd = open("/dev/full", O_RDWR | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(WriteAll(fd, "x"), ENOSPC);
  close(fd);
  char to;
  EXPECT_EQ(ReadAllAt(-1, &to, 1, 0).error, EBADF);
}

}  // namespace
}  // namespace millrace
