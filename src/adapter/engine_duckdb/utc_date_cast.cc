#include "adapter/engine_duckdb/utc_date_cast.h"

#include <cstdint>
#include <limits>

namespace millrace::duckdb_engine {
namespace {

constexpr int64_t kDay = 86'400'000'000;  // microseconds
// DuckDB's infinities: the highest value and its negative.
constexpr int64_t kForever = std::numeric_limits<int64_t>::max();
constexpr int32_t kForeverDay = std::numeric_limits<int32_t>::max();

int32_t DayOf(int64_t micros) {
  if (micros == kForever) return kForeverDay;
  if (micros == -kForever) return -kForeverDay;
  const int64_t day = micros / kDay;
  return static_cast<int32_t>(micros % kDay < 0 ? day - 1 : day);
}

bool Cast(duckdb_function_info, idx_t count, duckdb_vector input, duckdb_vector output) {
  const auto* micros = static_cast<const int64_t*>(duckdb_vector_get_data(input));
  auto* days = static_cast<int32_t*>(duckdb_vector_get_data(output));
  uint64_t* valid = duckdb_vector_get_validity(input);
  if (valid == nullptr) {
    for (idx_t i = 0; i < count; ++i) days[i] = DayOf(micros[i]);
    return true;
  }
  duckdb_vector_ensure_validity_writable(output);
  uint64_t* out_valid = duckdb_vector_get_validity(output);
  for (idx_t i = 0; i < count; ++i) {
    if (duckdb_validity_row_is_valid(valid, i)) {
      days[i] = DayOf(micros[i]);
    } else {
      duckdb_validity_set_row_invalid(out_valid, i);
    }
  }
  return true;
}

}  // namespace

bool RegisterUtcDateCast(duckdb_connection connection) {
  duckdb_logical_type source = duckdb_create_logical_type(DUCKDB_TYPE_TIMESTAMP_TZ);
  duckdb_logical_type target = duckdb_create_logical_type(DUCKDB_TYPE_DATE);
  duckdb_cast_function cast = duckdb_create_cast_function();
  duckdb_cast_function_set_source_type(cast, source);
  duckdb_cast_function_set_target_type(cast, target);
  duckdb_cast_function_set_implicit_cast_cost(cast, -1);  // never chosen without a CAST
  duckdb_cast_function_set_function(cast, Cast);
  const duckdb_state state = duckdb_register_cast_function(connection, cast);
  duckdb_destroy_cast_function(&cast);
  duckdb_destroy_logical_type(&target);
  duckdb_destroy_logical_type(&source);
  return state == DuckDBSuccess;
}

}  // namespace millrace::duckdb_engine
