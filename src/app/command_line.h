#pragma once

namespace millrace::app {

// Parses the arguments, runs the one command they name and says how it went: 0, or the exit code of
// the error's policy.
int Main(int argc, char** argv);

}  // namespace millrace::app
