#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "port/stage.h"

namespace millrace::app {

// How long to wait after the n-th failure in a row (from 1): 1 s, doubled each time, at most a
// minute.
Micros RetryDelay(int failures);

// One pass of a stage: whether there was anything to do.
using StagePass = std::function<Result<bool>(std::stop_token)>;

enum class OnFailure {
  kStopWhenFinal,  // an error that trying again cannot cure ends the loop
  kGoOn,  // every error is tried again: for a stage on which nothing else depends, and whose inputs
          // people edit meanwhile
};

// Runs passes, the starts of two at least `interval` apart, until stop is asked for (OK) or a pass
// fails for good (that error). What is tried again waits for RetryDelay, and the log says so.
Status RunStageLoop(std::string_view name, Micros interval, OnFailure on_failure,
                    const StagePass& pass, std::stop_token stop);

// The passes of a real stage. What each did goes to the debug log, and every half a minute at most
// to the info log.
StagePass PassesOf(Stage& stage);

// Waits; returns early, with false, when stop is asked for.
bool SleepFor(Micros time, std::stop_token stop);

}  // namespace millrace::app
