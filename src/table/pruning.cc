#include "table/pruning.h"

#include <algorithm>
#include <cmath>

#include "base/format.h"

namespace millrace::table {
namespace {

using iceberg::Literal;
using iceberg::TransformKind;
using Op = Predicate::Op;

bool IsFloating(const iceberg::Type& type) {
  return type.id == iceberg::TypeId::kFloat || type.id == iceberg::TypeId::kDouble;
}

double AsDouble(const Literal& v) {
  return std::holds_alternative<float>(v) ? static_cast<double>(std::get<float>(v))
                                          : std::get<double>(v);
}

bool IsNan(const Literal& v) {
  return (std::holds_alternative<float>(v) || std::holds_alternative<double>(v)) &&
         std::isnan(AsDouble(v));
}

// a < b as queries see it: the two zeros are equal. Values of a promoted column may come in the
// narrower type.
bool Less(const Literal& a, const Literal& b) {
  const bool a_float = std::holds_alternative<float>(a) || std::holds_alternative<double>(a);
  const bool b_float = std::holds_alternative<float>(b) || std::holds_alternative<double>(b);
  if (a_float && b_float) return AsDouble(a) < AsDouble(b);
  if (a.index() != b.index()) {
    const auto wide = [](const Literal& v) {
      return std::holds_alternative<int32_t>(v) ? Literal(int64_t{std::get<int32_t>(v)}) : v;
    };
    const Literal x = wide(a), y = wide(b);
    return x.index() == y.index() && iceberg::Compare(x, y) < 0;
  }
  return iceberg::Compare(a, b) < 0;
}

bool NullTest(Op op) { return op == Op::kIsNull || op == Op::kNotNull; }

}  // namespace

Result<Pruner> Pruner::New(const iceberg::TableMetadata& metadata,
                           const std::vector<Predicate>& predicates) {
  Pruner pruner(metadata);
  for (const Predicate& predicate : predicates) {
    const auto& fields = metadata.CurrentSchema().fields;
    const auto field = std::find_if(fields.begin(), fields.end(),
                                    [&](const auto& f) { return f.id == predicate.field_id; });
    if (field == fields.end()) {
      return Fail(ErrorKind::kInvalidInput, "no column with field id {} in the table at {}",
                  predicate.field_id, metadata.location);
    }
    Term term{predicate, field->type};
    std::sort(term.predicate.values.begin(), term.predicate.values.end(), Less);
    pruner.terms_.push_back(std::move(term));
  }
  return pruner;
}

// Whether a column whose values lie in `range` may have a row that the term wants.
bool Pruner::MayMatch(const Term& term, const Range& range) {
  const Op op = term.predicate.op;
  if (op == Op::kIsNull) return range.may_be_null;
  if (!range.may_be_value) return false;
  if (op == Op::kNotNull) return true;
  const auto& values = term.predicate.values;
  if (values.empty()) return op != Op::kIn;
  if (std::any_of(values.begin(), values.end(), IsNan)) return true;
  // NaN lies outside the bounds and above all values.
  const bool nan_matches = range.may_be_nan && (op == Op::kGreater || op == Op::kGreaterEqual);
  if (nan_matches) return true;
  switch (op) {
    case Op::kEqual:
    case Op::kIn: {
      // The first wanted value that is not below the range must not be above it.
      const auto first = range.lower.has_value()
                             ? std::lower_bound(values.begin(), values.end(), *range.lower, Less)
                             : values.begin();
      return first != values.end() && !(range.upper.has_value() && Less(*range.upper, *first));
    }
    case Op::kLess:
      return !range.lower.has_value() || Less(*range.lower, values[0]);
    case Op::kLessEqual:
      return !range.lower.has_value() || !Less(values[0], *range.lower);
    case Op::kGreater:
      return !range.upper.has_value() || Less(values[0], *range.upper);
    case Op::kGreaterEqual:
      return !range.upper.has_value() || !Less(*range.upper, values[0]);
    case Op::kIsNull:
    case Op::kNotNull:
      break;
  }
  return true;
}

// The same for a partition field: transforms but bucket keep the order, so a range of the source
// becomes a closed range.
bool Pruner::MayMatchTransformed(const Term& term, const iceberg::Transform& transform,
                                 const Range& range) {
  if (transform.kind == TransformKind::kVoid) return true;
  if (transform.kind == TransformKind::kIdentity || NullTest(term.predicate.op))
    return MayMatch(term, range);
  Term projected = term;
  Op& op = projected.predicate.op;
  const bool points = op == Op::kEqual || op == Op::kIn;
  if (transform.kind == TransformKind::kBucket && !points) return range.may_be_value;
  if (op == Op::kLess) op = Op::kLessEqual;
  if (op == Op::kGreater) op = Op::kGreaterEqual;
  for (Literal& value : projected.predicate.values) {
    auto applied = iceberg::Apply(transform, value, *term.type);
    if (!applied.ok()) return true;
    value = std::move(applied).value();
  }
  std::sort(projected.predicate.values.begin(), projected.predicate.values.end(), Less);
  return MayMatch(projected, range);
}

bool Pruner::MayMatch(const iceberg::ManifestFile& manifest) const {
  const iceberg::PartitionSpec* spec = metadata_.FindSpec(manifest.spec_id);
  if (spec == nullptr || spec->fields.size() != manifest.partitions.size()) return true;
  for (const Term& term : terms_) {
    for (size_t i = 0; i < spec->fields.size(); ++i) {
      if (spec->fields[i].source_id != term.predicate.field_id) continue;
      const iceberg::FieldSummary& summary = manifest.partitions[i];
      const iceberg::TypePtr type = PartitionType(metadata_, spec->fields[i]);
      if (type == nullptr) continue;
      Range range;
      range.may_be_null = summary.contains_null;
      range.may_be_nan = IsFloating(*type) && summary.contains_nan.value_or(true);
      if (summary.lower_bound.has_value())
        range.lower = iceberg::FromBytes(*summary.lower_bound, *type);
      if (summary.upper_bound.has_value())
        range.upper = iceberg::FromBytes(*summary.upper_bound, *type);
      range.may_be_value = range.may_be_nan || range.lower.has_value() || range.upper.has_value() ||
                           !summary.contains_null;
      if (!MayMatchTransformed(term, spec->fields[i].transform, range)) return false;
    }
  }
  return true;
}

bool Pruner::MayMatch(const iceberg::DataFile& file) const {
  const iceberg::PartitionSpec* spec = metadata_.FindSpec(file.spec_id);
  for (const Term& term : terms_) {
    for (size_t i = 0; spec != nullptr && i < spec->fields.size() && i < file.partition.size();
         ++i) {
      if (spec->fields[i].source_id != term.predicate.field_id) continue;
      const Literal& value = file.partition[i];
      Range range;
      range.may_be_null = iceberg::IsNull(value);
      range.may_be_value = !range.may_be_null;
      range.may_be_nan = IsNan(value);
      if (range.may_be_value && !range.may_be_nan) range.lower = range.upper = value;
      if (!MayMatchTransformed(term, spec->fields[i].transform, range)) return false;
    }
    if (!MayMatch(term, BoundsOf(file, term))) return false;
  }
  return true;
}

Pruner::Range Pruner::BoundsOf(const iceberg::DataFile& file, const Term& term) {
  const int32_t id = term.predicate.field_id;
  const auto count = [id](const std::map<int32_t, int64_t>& counts) -> std::optional<int64_t> {
    const auto found = counts.find(id);
    return found == counts.end() ? std::nullopt : std::optional(found->second);
  };
  Range range;
  const auto nulls = count(file.null_value_counts);
  const auto nans = count(file.nan_value_counts);
  range.may_be_null = nulls.value_or(1) > 0;
  range.may_be_value = !(nulls.has_value() && *nulls == file.record_count);
  range.may_be_nan = IsFloating(*term.type) && nans.value_or(1) > 0;
  if (const auto found = file.lower_bounds.find(id); found != file.lower_bounds.end()) {
    range.lower = iceberg::FromBytes(found->second, *term.type);
  }
  if (const auto found = file.upper_bounds.find(id); found != file.upper_bounds.end()) {
    range.upper = iceberg::FromBytes(found->second, *term.type);
  }
  return range;
}

iceberg::TypePtr PartitionType(const iceberg::TableMetadata& metadata,
                               const iceberg::PartitionField& field) {
  const iceberg::Field* source = metadata.CurrentSchema().FindById(field.source_id);
  for (size_t i = metadata.schemas.size(); source == nullptr && i > 0; --i) {
    source = metadata.schemas[i - 1].FindById(field.source_id);
  }
  return source == nullptr ? nullptr : iceberg::ResultType(field.transform, source->type);
}

}  // namespace millrace::table
