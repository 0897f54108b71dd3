#include "pipeline/silver/freed_memory.h"

#include <arrow/memory_pool.h>
#include <malloc.h>

namespace millrace::silver {

void ReturnFreedMemory() {
  arrow::default_memory_pool()->ReleaseUnused();
  (void)::malloc_trim(0);
}

}  // namespace millrace::silver
