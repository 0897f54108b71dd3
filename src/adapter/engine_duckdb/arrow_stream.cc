#include "adapter/engine_duckdb/arrow_stream.h"

#include <arrow/c/abi.h>

#include <cerrno>
#include <string>
#include <vector>

namespace millrace::duckdb_engine {
namespace {

struct StreamState {
  explicit StreamState(duckdb_result r)
      : result(r), options(duckdb_result_get_arrow_options(&result)) {}
  ~StreamState() {
    duckdb_destroy_arrow_options(&options);
    duckdb_destroy_result(&result);
  }
  StreamState(const StreamState&) = delete;
  StreamState& operator=(const StreamState&) = delete;

  // Takes the error over. 0, or EIO with `message` set.
  int Check(duckdb_error_data error) {
    const bool failed = error != nullptr && duckdb_error_data_has_error(error);
    if (failed) message = duckdb_error_data_message(error);
    if (error != nullptr) duckdb_destroy_error_data(&error);
    return failed ? EIO : 0;
  }

  duckdb_result result;
  duckdb_arrow_options options;
  std::string message;
};

StreamState& StateOf(ArrowArrayStream* stream) {
  return *static_cast<StreamState*>(stream->private_data);
}

int GetSchema(ArrowArrayStream* stream, ArrowSchema* out) {
  StreamState& state = StateOf(stream);
  const idx_t count = duckdb_column_count(&state.result);
  std::vector<duckdb_logical_type> types;
  std::vector<const char*> names;
  for (idx_t i = 0; i < count; ++i) {
    types.push_back(duckdb_column_logical_type(&state.result, i));
    names.push_back(duckdb_column_name(&state.result, i));
  }
  const int code =
      state.Check(duckdb_to_arrow_schema(state.options, types.data(), names.data(), count, out));
  for (duckdb_logical_type& type : types) duckdb_destroy_logical_type(&type);
  return code;
}

int GetNext(ArrowArrayStream* stream, ArrowArray* out) {
  StreamState& state = StateOf(stream);
  duckdb_data_chunk chunk = duckdb_fetch_chunk(state.result);
  if (chunk == nullptr) {
    if (const char* error = duckdb_result_error(&state.result);
        error != nullptr && *error != '\0') {
      state.message = error;
      return EIO;
    }
    out->release = nullptr;  // end of stream
    return 0;
  }
  const int code = state.Check(duckdb_data_chunk_to_arrow(state.options, chunk, out));
  duckdb_destroy_data_chunk(&chunk);
  return code;
}

const char* LastError(ArrowArrayStream* stream) {
  const StreamState& state = StateOf(stream);
  return state.message.empty() ? nullptr : state.message.c_str();
}

void Release(ArrowArrayStream* stream) {
  delete static_cast<StreamState*>(stream->private_data);
  stream->private_data = nullptr;
  stream->release = nullptr;
}

}  // namespace

void ExportResult(duckdb_result result, ArrowArrayStream* out) {
  out->get_schema = GetSchema;
  out->get_next = GetNext;
  out->get_last_error = LastError;
  out->release = Release;
  out->private_data = new StreamState(result);
}

}  // namespace millrace::duckdb_engine
