#include "pipeline/silver/type_bridge.h"

#include <string>

#include "base/text.h"

namespace millrace::silver {
namespace {

using iceberg::TypeId;
using Kind = JsonScalar::Kind;

// Whether the JSON form of a value is PostgreSQL's text of it.
bool WrittenAsText(LogicalKind kind) {
  switch (kind) {
    case LogicalKind::kInt16:
    case LogicalKind::kInt32:
    case LogicalKind::kInt64:
    case LogicalKind::kOid:
    case LogicalKind::kNumeric:
    case LogicalKind::kText:
    case LogicalKind::kUuid:
    case LogicalKind::kJson:
    case LogicalKind::kOpaque:
      return true;
    case LogicalKind::kBool:
    case LogicalKind::kFloat32:
    case LogicalKind::kFloat64:
    case LogicalKind::kBytes:
    case LogicalKind::kDate:
    case LogicalKind::kTime:
    case LogicalKind::kTimestamp:
    case LogicalKind::kTimestampTz:
    case LogicalKind::kArray:
      return false;
  }
  return false;
}

class BridgeAppender final : public ValueAppender {
 public:
  BridgeAppender(std::unique_ptr<ValueAppender> native, bool written_as_text, TypeId target)
      : native_(std::move(native)), written_as_text_(written_as_text), target_(target) {}

  Fit Append(const JsonScalar& value) override {
    std::string digits;
    JsonScalar translated;
    if (!Translate(value, &translated, &digits)) return Fit::kText;
    return native_->Append(translated) == Fit::kHeld ? Fit::kHeld : Fit::kText;
  }
  Fit Check(const JsonScalar& value) const override {
    std::string digits;
    JsonScalar translated;
    if (!Translate(value, &translated, &digits)) return Fit::kText;
    return native_->Check(translated) == Fit::kHeld ? Fit::kHeld : Fit::kText;
  }
  void AppendNull() override { native_->AppendNull(); }
  arrow::ArrayBuilder& builder() override { return native_->builder(); }

 private:
  bool Translate(const JsonScalar& value, JsonScalar* out, std::string* digits) const {
    if (!written_as_text_) return false;
    *out = value;
    if (target_ == TypeId::kString || target_ == TypeId::kDecimal) {
      if (value.kind == Kind::kString) return true;
      if (value.kind != Kind::kInteger) return false;
      *digits = std::to_string(value.integer);
      out->kind = Kind::kString;
      out->text = *digits;
      return true;
    }
    if (target_ != TypeId::kInt && target_ != TypeId::kLong) return false;
    if (value.kind == Kind::kInteger) return true;
    const auto number = ParseInt<int64_t>(value.text);
    // Written as PostgreSQL writes it, or it is not the same value: "007", "+7".
    if (value.kind != Kind::kString || !number || std::to_string(*number) != value.text)
      return false;
    out->kind = Kind::kInteger;
    out->integer = *number;
    return true;
  }

  std::unique_ptr<ValueAppender> native_;
  const bool written_as_text_;
  const TypeId target_;
};

}  // namespace

LogicalType NativeType(const iceberg::Type& target) {
  const auto of = [](LogicalKind kind) {
    LogicalType type;
    type.kind = kind;
    return type;
  };
  switch (target.id) {
    case TypeId::kBoolean:
      return of(LogicalKind::kBool);
    case TypeId::kInt:
    case TypeId::kLong:
      return of(LogicalKind::kInt64);
    case TypeId::kFloat:
    case TypeId::kDouble:
      return of(LogicalKind::kFloat64);
    case TypeId::kDecimal:
      return of(LogicalKind::kNumeric);
    case TypeId::kBinary:
      return of(LogicalKind::kBytes);
    case TypeId::kDate:
      return of(LogicalKind::kDate);
    case TypeId::kTime:
      return of(LogicalKind::kTime);
    case TypeId::kTimestamp:
      return of(LogicalKind::kTimestamp);
    case TypeId::kTimestampTz:
      return of(LogicalKind::kTimestampTz);
    case TypeId::kList: {
      LogicalType list = of(LogicalKind::kArray);
      list.element.push_back(NativeType(*target.fields.front().type));
      return list;
    }
    case TypeId::kString:
    case TypeId::kUuid:
    case TypeId::kFixed:
    case TypeId::kStruct:
    case TypeId::kMap:
      break;  // of these we make strings only
  }
  return of(LogicalKind::kText);
}

std::unique_ptr<ValueAppender> BridgeTo(std::unique_ptr<ValueAppender> native,
                                        const LogicalType& source, const iceberg::Type& target) {
  return std::make_unique<BridgeAppender>(std::move(native), WrittenAsText(source.kind), target.id);
}

}  // namespace millrace::silver
