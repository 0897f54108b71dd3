#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "port/stage.h"

namespace millrace::app {

// How long to wait after the n-th failure in a row (from 1): 1 s, doubled each time, at most a minute.
Micros RetryDelay(int failures);

// One pass of a stage: whether there was anything to do.
using StagePass = std::function<Result<bool>(std::stop_token)>;

// Runs passes, the starts of two at least `interval` apart, until stop is asked for (OK) or a pass fails in a way that trying again
// cannot cure (that error). What may succeed later is tried again after RetryDelay, and the log says so.
Status RunStageLoop(std::string_view name, Micros interval, const StagePass& pass, std::stop_token stop);

// One pass of a real stage; what it did goes to the debug log.
Result<bool> RunPass(Stage& stage, std::stop_token stop);

// Waits; returns early, with false, when stop is asked for.
bool SleepFor(Micros time, std::stop_token stop);

}  // namespace millrace::app
