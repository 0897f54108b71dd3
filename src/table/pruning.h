#pragma once

#include <optional>
#include <vector>

#include "iceberg/manifest.h"
#include "iceberg/metadata.h"
#include "table/scan.h"

namespace millrace::table {

// Decides which manifests and files cannot hold rows that a conjunction of predicates wants. Never
// wrong in that direction: what is not known is kept.
class Pruner {
 public:
  // kInvalidInput when a predicate names no top-level column of the current schema.
  static Result<Pruner> New(const iceberg::TableMetadata& metadata,
                            const std::vector<Predicate>& predicates);

  // By the partition summaries of the manifest list.
  bool MayMatch(const iceberg::ManifestFile& manifest) const;
  // By partition values and column bounds.
  bool MayMatch(const iceberg::DataFile& file) const;

 private:
  struct Term {
    Predicate predicate;  // values sorted
    iceberg::TypePtr type;
  };
  // What is known of the values of a column or of a partition field.
  struct Range {
    bool may_be_null = true;
    bool may_be_value = true;
    bool may_be_nan = true;
    std::optional<iceberg::Literal> lower, upper;
  };
  explicit Pruner(const iceberg::TableMetadata& metadata) : metadata_(metadata) {}
  static bool MayMatch(const Term& term, const Range& range);
  static bool MayMatchTransformed(const Term& term, const iceberg::Transform& transform,
                                  const Range& range);
  static Range BoundsOf(const iceberg::DataFile& file, const Term& term);

  const iceberg::TableMetadata& metadata_;
  std::vector<Term> terms_;
};

// The type of a partition field's values: from the current schema, or from an older one that still
// has the source column.
iceberg::TypePtr PartitionType(const iceberg::TableMetadata& metadata,
                               const iceberg::PartitionField& field);

}  // namespace millrace::table
