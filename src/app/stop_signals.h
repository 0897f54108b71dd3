#pragma once

#include <signal.h>

#include <functional>
#include <stop_token>
#include <thread>

namespace millrace::app {

// SIGTERM and SIGINT as a stop token. The first one asks to stop; the second ends the process at
// once with 128 + its number, as a shell reports it. Make it before any other thread: threads
// inherit the blocked signals.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;

  std::stop_token token() const { return stop_.get_token(); }
  // Asks to stop as a signal would, for one stage's fatal error.
  void RequestStop() { stop_.request_stop(); }

 private:
  sigset_t set_;
  sigset_t before_;
  std::stop_source stop_;
  std::jthread waiter_;
};

}  // namespace millrace::app
