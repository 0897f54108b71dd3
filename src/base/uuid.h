#pragma once

#include <cstdint>
#include <string>

namespace millrace {

// A random (version 4) UUID in lower-case text form, from the operating system's generator.
std::string NewUuid();
// 64 random bits from the operating system.
uint64_t RandomBits();

}  // namespace millrace
