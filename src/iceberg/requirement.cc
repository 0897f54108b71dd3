#include "base/format.h"
#include "iceberg/update.h"

namespace millrace::iceberg {
namespace {

// One check per kind of requirement, on a table that exists.
struct Checker {
  const TableMetadata& base;

  template <typename A, typename B>
  static Status Same(std::string_view what, const A& expected, const B& actual) {
    if (expected == actual) return {};
    return Fail(ErrorKind::kConflict, "the table changed: {} is {}, expected {}", what, actual,
                expected);
  }

  Status operator()(const require::TableAbsent&) const {
    return Fail(ErrorKind::kConflict, "the table exists already");
  }
  Status operator()(const require::Uuid& r) const {
    return Same("its uuid", r.uuid, base.table_uuid);
  }
  Status operator()(const require::RefSnapshot& r) const {
    const auto ref = base.refs.find(r.ref);
    if (ref == base.refs.end()) {
      if (!r.snapshot_id) return {};
      return Fail(ErrorKind::kConflict,
                  "the table changed: ref '{}' is gone, expected at snapshot {}", r.ref,
                  *r.snapshot_id);
    }
    if (!r.snapshot_id)
      return Fail(ErrorKind::kConflict, "the table changed: ref '{}' was created meanwhile", r.ref);
    return Same("the snapshot of ref '" + r.ref + "'", *r.snapshot_id, ref->second.snapshot_id);
  }
  Status operator()(const require::LastAssignedFieldId& r) const {
    return Same("the last assigned field id", r.id, base.last_column_id);
  }
  Status operator()(const require::CurrentSchemaId& r) const {
    return Same("the current schema id", r.id, base.current_schema_id);
  }
  Status operator()(const require::LastAssignedPartitionId& r) const {
    return Same("the last assigned partition id", r.id, base.last_partition_id);
  }
  Status operator()(const require::DefaultSpecId& r) const {
    return Same("the default partition spec id", r.id, base.default_spec_id);
  }
  Status operator()(const require::DefaultSortOrderId& r) const {
    return Same("the default sort order id", r.id, base.default_sort_order_id);
  }
};

}  // namespace

Status Check(const Requirement& requirement, const TableMetadata* base) {
  if (base != nullptr) return std::visit(Checker{*base}, requirement);
  if (std::holds_alternative<require::TableAbsent>(requirement)) return {};
  return Fail(ErrorKind::kConflict, "the table does not exist any more");
}

}  // namespace millrace::iceberg
