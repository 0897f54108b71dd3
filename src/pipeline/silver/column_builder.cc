#include "pipeline/silver/column_builder.h"

#include <arrow/builder.h>
#include <arrow/util/decimal.h>

#include <limits>

#include "base/byte_buffer.h"
#include "base/format.h"
#include "base/text.h"
#include "codec/json.h"
#include "pipeline/silver/arrow_result.h"
#include "pipeline/silver/type_bridge.h"
#include "pipeline/silver/type_mapping.h"
#include "pipeline/silver/value_parse.h"

namespace millrace::silver {
namespace {

using iceberg::TypeId;
using Kind = JsonScalar::Kind;

// A converter has: using Builder; Fit Convert(const JsonScalar&, Out* out) const; void
// Put(Builder&, const Out&).
template <typename Converter>
class Appender final : public ValueAppender {
 public:
  Appender(const std::shared_ptr<arrow::DataType>& type, Converter converter)
      : converter_(converter), builder_(type, arrow::default_memory_pool()) {}

  Fit Append(const JsonScalar& value) override {
    typename Converter::Out out{};
    const Fit fit = converter_.Convert(value, &out);
    if (fit == Fit::kHeld) status_ &= builder_.Append(out);
    return fit;
  }
  Fit Check(const JsonScalar& value) const override {
    typename Converter::Out out{};
    return converter_.Convert(value, &out);
  }
  void AppendNull() override { status_ &= builder_.AppendNull(); }
  arrow::ArrayBuilder& builder() override { return builder_; }

 private:
  Converter converter_;
  typename Converter::Builder builder_;
  arrow::Status status_;  // memory is the only way to fail; Finish of the column would fail as well
};

struct BoolConverter {
  using Builder = arrow::BooleanBuilder;
  using Out = bool;
  Fit Convert(const JsonScalar& v, bool* out) const {
    if (v.kind != Kind::kBool) return Fit::kWrong;
    *out = v.boolean;
    return Fit::kHeld;
  }
};

// Numbers whose source range is [low, high] and whose strings are texts that the type cannot hold
// (infinity).
template <typename BuilderT, typename OutT>
struct IntegerConverter {
  using Builder = BuilderT;
  using Out = OutT;
  int64_t low, high;  // what the Iceberg type takes
  bool strings;       // PostgreSQL's text may stand instead
  Fit outside;        // what a number out of range is
  Fit Convert(const JsonScalar& v, Out* out) const {
    if (v.kind == Kind::kInteger) {
      if (v.integer < low || v.integer > high) return outside;
      *out = static_cast<Out>(v.integer);
      return Fit::kHeld;
    }
    return v.kind == Kind::kString && strings ? Fit::kText : Fit::kWrong;
  }
};

template <typename BuilderT, typename OutT>
struct FloatConverter {
  using Builder = BuilderT;
  using Out = OutT;
  Fit Convert(const JsonScalar& v, Out* out) const {
    switch (v.kind) {
      case Kind::kDouble:
        *out = static_cast<Out>(v.real);
        return Fit::kHeld;
      case Kind::kInteger:
        *out = static_cast<Out>(v.integer);
        return Fit::kHeld;
      case Kind::kString:
        if (v.text == "NaN") {
          *out = std::numeric_limits<Out>::quiet_NaN();
        } else if (v.text == "Infinity") {
          *out = std::numeric_limits<Out>::infinity();
        } else if (v.text == "-Infinity") {
          *out = -std::numeric_limits<Out>::infinity();
        } else {
          return Fit::kWrong;
        }
        return Fit::kHeld;
      case Kind::kNull:
      case Kind::kBool:
      case Kind::kArray:
        return Fit::kWrong;
    }
    return Fit::kWrong;
  }
};

struct DecimalConverter {
  using Builder = arrow::Decimal128Builder;
  using Out = arrow::Decimal128;
  int precision, scale;
  Fit Convert(const JsonScalar& v, Out* out) const {
    if (v.kind != Kind::kString) return Fit::kWrong;
    const auto value = ParseDecimal(v.text, precision, scale);
    if (!value) return IsNumericText(v.text) ? Fit::kText : Fit::kWrong;
    *out = arrow::Decimal128(static_cast<int64_t>(*value >> 64), static_cast<uint64_t>(*value));
    return Fit::kHeld;
  }
};

struct StringConverter {
  using Builder = arrow::StringBuilder;
  using Out = std::string_view;
  Fit Convert(const JsonScalar& v, Out* out) const {
    if (v.kind != Kind::kString) return Fit::kWrong;
    *out = v.text;
    return Fit::kHeld;
  }
};

struct BytesConverter {
  using Builder = arrow::BinaryBuilder;
  using Out = std::string;
  Fit Convert(const JsonScalar& v, Out* out) const {
    if (v.kind != Kind::kString) return Fit::kWrong;
    auto bytes = FromBase64(v.text);
    if (!bytes) return Fit::kWrong;
    *out = std::move(*bytes);
    return Fit::kHeld;
  }
};

struct TimestampTzConverter {
  using Builder = arrow::TimestampBuilder;
  using Out = int64_t;
  Fit Convert(const JsonScalar& v, Out* out) const {
    if (v.kind != Kind::kString) return Fit::kWrong;
    const auto at = ParseTimestampTz(v.text);
    if (!at) return Fit::kText;
    *out = *at;
    return Fit::kHeld;
  }
};

class ListAppender final : public ValueAppender {
 public:
  ListAppender(const std::shared_ptr<arrow::DataType>& type,
               std::unique_ptr<ValueAppender> elements)
      : elements_(std::move(elements)),
        builder_(arrow::default_memory_pool(),
                 std::shared_ptr<arrow::ArrayBuilder>(&elements_->builder(), [](auto*) {}), type) {}

  Fit Append(const JsonScalar& value) override {
    const Fit fit = Check(value);
    if (fit != Fit::kHeld) return fit;
    status_ &= builder_.Append();
    for (const JsonScalar& element : *value.elements) {
      if (element.kind == Kind::kNull) {
        elements_->AppendNull();
      } else {
        elements_->Append(element);
      }
    }
    return Fit::kHeld;
  }
  Fit Check(const JsonScalar& value) const override {
    if (value.kind == Kind::kString)
      return Fit::kText;  // more dimensions, other bounds, elements without a form
    if (value.kind != Kind::kArray) return Fit::kWrong;
    Fit all = Fit::kHeld;
    for (const JsonScalar& element : *value.elements) {
      if (element.kind == Kind::kNull) continue;
      const Fit one = elements_->Check(element);
      if (one == Fit::kWrong) return one;
      if (one == Fit::kText) all = one;
    }
    return all;
  }
  void AppendNull() override { status_ &= builder_.AppendNull(); }
  arrow::ArrayBuilder& builder() override { return builder_; }

 private:
  std::unique_ptr<ValueAppender> elements_;
  arrow::ListBuilder builder_;
  arrow::Status status_;
};

using IntConverter = IntegerConverter<arrow::Int32Builder, int32_t>;
using LongConverter = IntegerConverter<arrow::Int64Builder, int64_t>;
using DateConverter = IntegerConverter<arrow::Date32Builder, int32_t>;
using TimeConverter = IntegerConverter<arrow::Time64Builder, int64_t>;
using TimestampConverter = IntegerConverter<arrow::TimestampBuilder, int64_t>;
constexpr int64_t kMinInt = std::numeric_limits<int32_t>::min(),
                  kMaxInt = std::numeric_limits<int32_t>::max();
constexpr int64_t kMinLong = std::numeric_limits<int64_t>::min(),
                  kMaxLong = std::numeric_limits<int64_t>::max();

template <typename Converter>
std::unique_ptr<ValueAppender> Make(const std::shared_ptr<arrow::DataType>& type,
                                    Converter converter) {
  return std::make_unique<Appender<Converter>>(type, converter);
}

Result<std::unique_ptr<ValueAppender>> MakeAppender(const LogicalType& source,
                                                    const iceberg::Type& target) {
  const std::shared_ptr<arrow::DataType> type = table::ToArrow(target);
  const auto number = [&]() -> Result<std::unique_ptr<ValueAppender>> {
    if (target.id == TypeId::kInt)
      return Make(type, IntConverter{kMinInt, kMaxInt, false, Fit::kWrong});
    if (target.id == TypeId::kLong)
      return Make(type, LongConverter{kMinLong, kMaxLong, false, Fit::kWrong});
    return Fail(ErrorKind::kInternal, "no way from {} to {}", KindName(source.kind),
                iceberg::ToString(target));
  };
  const auto expect = [&](TypeId id) -> Status {
    if (target.id == id) return {};
    return Fail(ErrorKind::kInternal, "no way from {} to {}", KindName(source.kind),
                iceberg::ToString(target));
  };
  switch (source.kind) {
    case LogicalKind::kBool:
      MR_TRY(expect(TypeId::kBoolean));
      return Make(type, BoolConverter{});
    case LogicalKind::kInt16:
    case LogicalKind::kInt32:
    case LogicalKind::kInt64:
    case LogicalKind::kOid:
      return number();
    case LogicalKind::kFloat32:
    case LogicalKind::kFloat64:
      if (target.id == TypeId::kFloat)
        return Make(type, FloatConverter<arrow::FloatBuilder, float>{});
      MR_TRY(expect(TypeId::kDouble));
      return Make(type, FloatConverter<arrow::DoubleBuilder, double>{});
    case LogicalKind::kNumeric:
      MR_TRY(expect(TypeId::kDecimal));
      return Make(type, DecimalConverter{target.precision, target.scale});
    case LogicalKind::kText:
    case LogicalKind::kUuid:
    case LogicalKind::kJson:
    case LogicalKind::kOpaque:
      MR_TRY(expect(TypeId::kString));
      return Make(type, StringConverter{});
    case LogicalKind::kBytes:
      MR_TRY(expect(TypeId::kBinary));
      return Make(type, BytesConverter{});
    case LogicalKind::kDate:
      MR_TRY(expect(TypeId::kDate));
      return Make(type, DateConverter{kMinInt, kMaxInt, true, Fit::kWrong});
    case LogicalKind::kTime:
      MR_TRY(expect(TypeId::kTime));
      return Make(type, TimeConverter{0, kMicrosPerDay - 1, true, Fit::kText});
    case LogicalKind::kTimestamp:
      MR_TRY(expect(TypeId::kTimestamp));
      return Make(type, TimestampConverter{kMinLong, kMaxLong, true, Fit::kWrong});
    case LogicalKind::kTimestampTz:
      MR_TRY(expect(TypeId::kTimestampTz));
      return Make(type, TimestampTzConverter{});
    case LogicalKind::kArray: {
      MR_TRY(expect(TypeId::kList));
      MR_ASSIGN(auto elements, MakeAppender(source.element.front(), *target.fields.front().type));
      return std::unique_ptr<ValueAppender>(
          std::make_unique<ListAppender>(type, std::move(elements)));
    }
  }
  return Fail(ErrorKind::kInternal, "kind {} is not known", KindName(source.kind));
}

// As array_out quotes an element.
void AppendElement(std::string_view text, ByteBuffer& out) {
  constexpr std::string_view kSpecial = "{}\"\\, \t\n\v\f\r";
  if (!text.empty() && text.find_first_of(kSpecial) == std::string_view::npos &&
      ToLower(text) != "null") {
    out.Append(text);
    return;
  }
  out.Append('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') out.Append('\\');
    out.Append(c);
  }
  out.Append('"');
}

// What `__pg` gets for a value that is no text in the event already: PostgreSQL's text where its
// elements are numbers, texts or booleans.
void AppendPlain(const JsonScalar& value, ByteBuffer& out) {
  switch (value.kind) {
    case Kind::kString:
      AppendElement(value.text, out);
      break;
    case Kind::kInteger:
      json::AppendInt(out, value.integer);
      break;
    case Kind::kBool:
      out.Append(value.boolean ? 't' : 'f');
      break;
    case Kind::kDouble:
      out.Append(Format("{}", value.real));
      break;
    case Kind::kNull:
      out.Append("NULL");
      break;
    case Kind::kArray:
      out.Append('{');
      for (size_t i = 0; i < value.elements->size(); ++i) {
        if (i > 0) out.Append(',');
        AppendPlain((*value.elements)[i], out);
      }
      out.Append('}');
      break;
  }
}

bool HoldsDoubles(const LogicalType& type) {
  if (type.kind == LogicalKind::kArray) return HoldsDoubles(type.element.front());
  return type.kind == LogicalKind::kFloat32 || type.kind == LogicalKind::kFloat64;
}

}  // namespace

ColumnBuilder::ColumnBuilder(ColumnBuilder&&) noexcept = default;
ColumnBuilder& ColumnBuilder::operator=(ColumnBuilder&&) noexcept = default;
ColumnBuilder::~ColumnBuilder() = default;

Result<ColumnBuilder> ColumnBuilder::New(const LogicalType& source,
                                         const iceberg::TypePtr& target) {
  ColumnBuilder made;
  made.kind_ = source.kind;
  made.wants_double_ = HoldsDoubles(source);
  if (PlanTypeChange(target, IcebergTypeOf(source)).change != TypeChange::kRefused) {
    MR_ASSIGN(made.values_, MakeAppender(source, *target));
    return made;
  }
  MR_ASSIGN(auto native, MakeAppender(NativeType(*target), *target));
  made.values_ = BridgeTo(std::move(native), source, *target);
  return made;
}

void ColumnBuilder::AppendNull() {
  values_->AppendNull();
  if (text_) (void)text_->AppendNull();
  ++rows_;
}

Status ColumnBuilder::Append(const JsonScalar& value) {
  if (value.kind == Kind::kNull) {
    AppendNull();
    return {};
  }
  switch (values_->Append(value)) {
    case Fit::kHeld:
      if (text_) (void)text_->AppendNull();
      break;
    case Fit::kText:
      AppendText(value);
      break;
    case Fit::kWrong:
      return Fail(ErrorKind::kCorrupt, "a value is no {}", KindName(kind_));
  }
  ++rows_;
  return {};
}

void ColumnBuilder::AppendText(const JsonScalar& value) {
  values_->AppendNull();
  if (!text_) {
    text_ = std::make_unique<arrow::StringBuilder>();
    (void)text_->AppendNulls(rows_);
  }
  if (value.kind == Kind::kString) {
    (void)text_->Append(value.text);
  } else if (kind_ == LogicalKind::kTime && value.integer == kMicrosPerDay) {
    (void)text_->Append("24:00:00");  // the one number without an Iceberg form
  } else {
    ByteBuffer plain;
    AppendPlain(value, plain);
    (void)text_->Append(plain.view());
  }
}

Status ColumnBuilder::Finish(std::shared_ptr<arrow::Array>* values,
                             std::shared_ptr<arrow::Array>* text) {
  MR_TRY(FromArrow(values_->builder().Finish(values), "decoded column"));
  text->reset();
  if (text_) MR_TRY(FromArrow(text_->Finish(text), "decoded text column"));
  // An append that failed for want of memory left the column short.
  if ((*values)->length() != rows_ || (*text && (*text)->length() != rows_)) {
    return Fail(ErrorKind::kOutOfSpace, "out of memory while decoding events");
  }
  return {};
}

}  // namespace millrace::silver
