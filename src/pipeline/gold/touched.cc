#include "pipeline/gold/touched.h"

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "base/text.h"
#include "base/time.h"

namespace millrace::gold {
namespace {

using iceberg::Literal;
using iceberg::TransformKind;
using iceberg::TypeId;

std::string QuoteText(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out.push_back('\'');
    out.push_back(c);
  }
  return out + "'";
}

// The first day of a month counted from 1970-01.
int64_t FirstDay(int64_t month) {
  const int64_t year = 1970 + (month >= 0 ? month / 12 : -((11 - month) / 12));
  return DaysFromCivil({year, static_cast<int>(month - (year - 1970) * 12 + 1), 1});
}

std::string DayText(int64_t days) {
  const CivilDate date = CivilFromDays(days);
  return Format("{:04}-{:02}-{:02}", date.year, date.month, date.day);
}

// Months [first, end) as a condition. Days as BETWEEN, which computes the column once: it is often
// a cast, and the cast of a timestamptz costs more than all the rest of a row.
std::string MonthRange(const std::string& name, int64_t first, int64_t end,
                       const iceberg::Type& type) {
  if (type.id == TypeId::kDate) {
    return Format("{} BETWEEN DATE '{}' AND DATE '{}'", name, DayText(FirstDay(first)),
                  DayText(FirstDay(end) - 1));
  }
  const auto moment = [&](int64_t month) {
    return type.id == TypeId::kTimestamp
               ? Format("TIMESTAMP '{} 00:00:00'", DayText(FirstDay(month)))
               : Format("CAST('{} 00:00:00+00:00' AS TIMESTAMP WITH TIME ZONE)",
                        DayText(FirstDay(month)));
  };
  return Format("({0} >= {1} AND {0} < {2})", name, moment(first), moment(end));
}

std::string ValueText(const Literal& value) {
  if (const auto* b = std::get_if<bool>(&value)) return *b ? "true" : "false";
  if (const auto* i = std::get_if<int32_t>(&value)) return std::to_string(*i);
  if (const auto* l = std::get_if<int64_t>(&value)) return std::to_string(*l);
  return QuoteText(std::get<std::string>(value));
}

}  // namespace

std::string QuoteName(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"') out.push_back('"');
    out.push_back(c);
  }
  return out + "\"";
}

Result<iceberg::PartitionSpec> SpecFor(const iceberg::Field& column) {
  iceberg::PartitionField field;
  field.source_id = column.id;
  field.field_id = 1000;
  switch (column.type->id) {
    case TypeId::kDate:
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
      field.transform.kind = TransformKind::kMonth;
      field.name = column.name + "_month";
      break;
    case TypeId::kBoolean:
    case TypeId::kInt:
    case TypeId::kLong:
    case TypeId::kString:
      field.transform.kind = TransformKind::kIdentity;
      field.name = column.name;
      break;
    default:
      return Fail(ErrorKind::kInvalidInput,
                  "partition: column '{}' is a {}; take a column that is a date, timestamp, text, "
                  "integer or boolean",
                  column.name, iceberg::ToString(*column.type));
  }
  iceberg::PartitionSpec spec;
  spec.fields.push_back(std::move(field));
  return spec;
}

std::string TouchedSql(const std::string& expression, const std::string& alias,
                       const std::string& from, const std::string& to, const EventPosition& after,
                       const iceberg::PartitionField& partition) {
  const std::string period =
      partition.transform.kind == TransformKind::kMonth
          ? Format("CAST(date_trunc('month', CAST(({}) AS DATE)) AS DATE)", expression)
          : Format("({})", expression);
  const auto half = [&](const std::string& relation, std::string_view end) {
    return Format(
        "SELECT {0} AS period FROM (SELECT * FROM {1} WHERE _{2}_lsn > {3} OR (_{2}_lsn = {3} AND "
        "_{2}_ord > {4})) AS {5}",
        period, relation, end, after.commit_lsn, after.ordinal, QuoteName(alias));
  };
  return half(from, "from") + " UNION " + half(to, "to");
}

std::optional<Literal> PartitionOfPeriod(const Literal& period,
                                         const iceberg::PartitionField& partition,
                                         const iceberg::Type& column_type) {
  if (iceberg::IsNull(period)) return period;
  if (partition.transform.kind == TransformKind::kMonth) {
    const auto month =
        iceberg::Apply(partition.transform, period, *iceberg::Primitive(TypeId::kDate));
    return month.ok() ? std::optional<Literal>(*month) : std::nullopt;
  }
  const auto* narrow = std::get_if<int32_t>(&period);
  const auto* wide = std::get_if<int64_t>(&period);
  switch (column_type.id) {
    case TypeId::kBoolean:
      return std::holds_alternative<bool>(period) ? std::optional<Literal>(period) : std::nullopt;
    case TypeId::kString:
      return std::holds_alternative<std::string>(period) ? std::optional<Literal>(period)
                                                         : std::nullopt;
    case TypeId::kLong:
      if (narrow != nullptr) return Literal(int64_t{*narrow});
      return wide != nullptr ? std::optional<Literal>(period) : std::nullopt;
    case TypeId::kInt:
      if (narrow != nullptr) return period;
      // A value beyond the column's range cannot be in the table.
      return wide != nullptr && *wide == static_cast<int32_t>(*wide)
                 ? std::optional<Literal>(static_cast<int32_t>(*wide))
                 : std::nullopt;
    default:
      return std::nullopt;
  }
}

std::string PartitionCondition(const std::string& column, const iceberg::Type& type,
                               const iceberg::PartitionField& partition,
                               std::vector<Literal> values) {
  const std::string name = QuoteName(column);
  std::vector<std::string> any;
  const auto last = std::partition(values.begin(), values.end(),
                                   [](const Literal& v) { return !iceberg::IsNull(v); });
  if (last != values.end()) any.push_back(name + " IS NULL");
  values.erase(last, values.end());
  std::sort(values.begin(), values.end(),
            [](const Literal& a, const Literal& b) { return iceberg::Compare(a, b) < 0; });
  if (partition.transform.kind == TransformKind::kMonth) {
    for (size_t i = 0; i < values.size();) {
      const int64_t first = std::get<int32_t>(values[i]);
      int64_t end = first;
      while (i < values.size() && std::get<int32_t>(values[i]) <= end)
        end = int64_t{std::get<int32_t>(values[i++])} + 1;
      any.push_back(MonthRange(name, first, end, type));
    }
  } else if (!values.empty()) {
    std::vector<std::string> texts;
    for (const Literal& value : values) texts.push_back(ValueText(value));
    any.push_back(Format("{} IN ({})", name, Join(texts, ", ")));
  }
  return Join(any, " OR ");
}

}  // namespace millrace::gold
