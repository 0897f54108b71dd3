#pragma once

namespace millrace::silver {

// Gives memory that was freed back to the system. Between the parts of a large step: each frees
// what it used, and the allocators would keep the most that any of them needed, piece by piece.
void ReturnFreedMemory();

}  // namespace millrace::silver
