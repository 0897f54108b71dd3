#include "app/stop_signals.h"

#include <unistd.h>

#include <ctime>

#include "base/log.h"

namespace millrace::app {

StopSignals::StopSignals() {
  sigemptyset(&set_);
  sigaddset(&set_, SIGTERM);
  sigaddset(&set_, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set_, &before_);
  waiter_ = std::jthread([this](std::stop_token done) {
    bool asked = false;
    while (!done.stop_requested()) {
      const timespec wait{0, 100'000'000};  // to notice `done`
      const int signal = sigtimedwait(&set_, nullptr, &wait);
      if (signal < 0) continue;
      if (asked) _exit(128 + signal);
      asked = true;
      log::Info("app", "{} received: stopping after what is under way; once more to stop at once",
                signal == SIGINT ? "SIGINT" : "SIGTERM");
      stop_.request_stop();
    }
  });
}

StopSignals::~StopSignals() {
  waiter_.request_stop();
  waiter_.join();
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace millrace::app
