#include "pipeline/silver/batch_source.h"

#include <arrow/array.h>

#include <algorithm>

#include "base/format.h"
#include "base/log.h"
#include "pipeline/silver/freed_memory.h"

namespace millrace::silver {
namespace {

int PassesFor(const StepContext& context, const std::vector<BronzeFile>& files,
              const SchemaVersions& schemas, bool keyed) {
  // Contents of rows under different columns cannot be told apart before they are all there.
  if (!keyed && schemas.versions.size() > 1) return 1;
  int64_t bytes = 0;
  for (const BronzeFile& file : files) bytes += file.bytes;
  if (bytes <= context.options.max_cut_bytes) return 1;
  // A merge in passes has open files, the overflow and what the allocators hold besides.
  const int64_t room = std::max<int64_t>(context.options.max_cut_bytes / 2, 1);
  return static_cast<int>((bytes + room - 1) / room);
}

}  // namespace

BatchSource::BatchSource(const StepContext& context, const std::vector<BronzeFile>& files,
                         const SchemaVersions& schemas, SchemaEvolution& evolution)
    : context_(context),
      files_(files),
      schemas_(schemas),
      evolution_(evolution),
      layout_(evolution.layout()),
      types_(ColumnTypes(layout_, evolution.schema())),
      keys_(PassesFor(context, files, schemas, layout_.keyed())) {}

Result<std::vector<DecodedFile>> BatchSource::Decode(size_t begin, size_t end) const {
  if (context_.stop.stop_requested())
    return Fail(ErrorKind::kCancelled, "silver was asked to stop");
  std::vector<const TableSchema*> versions;
  for (size_t i = begin; i < end; ++i) versions.push_back(&schemas_.versions[schemas_.of_file[i]]);
  const auto at = files_.begin() + static_cast<std::ptrdiff_t>(begin);
  return DecodeFiles(context_, {at, at + static_cast<std::ptrdiff_t>(end - begin)}, layout_, types_,
                     versions);
}

Status BatchSource::AddTextColumns(const std::vector<DecodedFile>& parts) {
  for (const DecodedFile& part : parts) {
    for (size_t i = 0; i < part.texts.size(); ++i) {
      if (part.texts[i]) MR_TRY(evolution_.AddTextColumn(i));
    }
  }
  return {};
}

Status BatchSource::Prepare() {
  if (keys_.passes() == 1) {
    MR_ASSIGN(whole_, Decode(0, files_.size()));
    return AddTextColumns(whole_);
  }
  MR_TRY(Learn());
  return Divide();
}

Status BatchSource::Learn() {
  for (size_t i = 0; i < files_.size(); ++i) {
    MR_ASSIGN(const std::vector<DecodedFile> parts, Decode(i, i + 1));
    MR_TRY(AddTextColumns(parts));
    for (const DecodedFile& part : parts) MR_TRY(keys_.Learn(part, layout_));
  }
  keys_.Settle();
  return {};
}

Status BatchSource::Divide() {
  MR_ASSIGN(spill_, Spill::Open(context_.options.spill_directory, keys_.passes()));
  for (size_t i = 0; i < files_.size(); ++i) {
    MR_ASSIGN(const std::vector<DecodedFile> parts, Decode(i, i + 1));
    for (const DecodedFile& part : parts) {
      MR_ASSIGN(const std::vector<DecodedFile> divided, keys_.Split(part, layout_));
      for (size_t pass = 0; pass < divided.size(); ++pass)
        MR_TRY(spill_->Add(static_cast<int>(pass), divided[pass]));
    }
    ReturnFreedMemory();
  }
  log::Info("silver", "{}: {} files are merged in {} passes, with {} MB of overflow", layout_.table,
            files_.size(), keys_.passes(), spill_->bytes() >> 20);
  return {};
}

Result<std::vector<DecodedFile>> BatchSource::Take(int pass) {
  if (!spill_) return std::move(whole_);
  if (context_.stop.stop_requested())
    return Fail(ErrorKind::kCancelled, "silver was asked to stop");
  ReturnFreedMemory();
  return spill_->Read(pass);
}

}  // namespace millrace::silver
