// Lines a second through the Bronze writer to a file store. BRONZE_BENCH_ROOT names the folder
// (default: /dev/shm, so that the disk does not count). Built with -DMILLRACE_BENCH=ON:
//
//   bronze_bench --benchmark_min_time=5
//
// `per_core` is records for each second of CPU that the writer's threads spent; what the caller
// spends on making batches is not in it.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "adapter/object_file/file_store.h"
#include "base/format.h"
#include "base/log.h"
#include "base/uuid.h"
#include "codec/hash.h"
#include "pipeline/bronze/bronze_writer.h"

namespace millrace {
namespace {

constexpr int64_t kNow = 1'800'000'000'000;

// An insert into the orders table of research/baselines.md as capture writes it: about 900 bytes.
std::string OrderEvent(int64_t i) {
  const std::string hash = Sha256Hex(std::to_string(i));
  const int64_t lsn = 24'000'000'000 + i * 312;
  const int64_t commit = lsn / 31'200 * 31'200 + 31'000;
  const int64_t ms = kNow + i / 100;
  return Format(
      R"({{"before":null,"after":{{"id":{0},"external_id":"{1}-{2}-{3}-{4}-{5}","customer_id":{6},"customer_name":"Customer {6}","amount":"{7}.{8:02}",)"
      R"("quantity":{9},"discount":0.{8:02},"is_gift":{10},"note":{11},"order_date":{12},"created_at":"2025-01-01T{13:02}:{14:02}:{15:02}Z",)"
      R"("updated_at":{16},"attrs":"{{\"w\": {17}, \"sku\": \"SKU-{18}\", \"tags\": [\"a\", \"b\", {19}]}}","status":"paid"}},)"
      R"("source":{{"version":"millrace-0.1","connector":"postgresql","name":"shop","ts_ms":{20},"snapshot":"false","db":"shop","sequence":"[\"{21}\",\"{22}\"]",)"
      R"("ts_us":{20}123,"ts_ns":{20}123000,"schema":"public","table":"orders","txId":{23},"lsn":{22},"xmin":null,"origin":null,"origin_lsn":null,)"
      R"("commit_lsn":{24},"ordinal":{25}}},"transaction":null,"op":"c","ts_ms":{20},"ts_us":{20}456,"ts_ns":{20}456789}})",
      i, hash.substr(0, 8), hash.substr(8, 4), hash.substr(12, 4), hash.substr(16, 4),
      hash.substr(20, 12), i * 7919 % 50000, i * 37 % 10000, i % 100, i % 20,
      i % 10 == 0 ? "true" : "false",
      i % 3 == 0 ? std::string("null") : "\"note " + hash.substr(32) + " some text\"",
      20089 + i % 365, i / 3600 % 24, i / 60 % 60, i % 60, 1'735'689'600'000'000 + i * 1'123'000,
      i % 50, i % 1000, i % 7, ms, commit - 31'200, lsn, 700 + i / 100, commit, i % 100);
}

StreamPtr Orders() {
  Stream stream;
  stream.topic = "shop.public.orders";
  stream.schema.schema = "public";
  stream.schema.table = "orders";
  stream.fingerprint = Fingerprint(stream.schema);
  return std::make_shared<const Stream>(std::move(stream));
}

std::vector<RecordBatch> MakeBatches(int64_t batches, int64_t records) {
  const StreamPtr orders = Orders();
  std::vector<RecordBatch> made;
  for (int64_t b = 0; b < batches; ++b) {
    RecordBatch batch;
    batch.streams = {orders};
    for (int64_t r = 0; r < records; ++r) {
      const int64_t i = b * records + r;
      const std::string key = Format(R"({{"id":{}}})", i);
      const std::string value = OrderEvent(i);
      batch.records.push_back({0, static_cast<uint32_t>(key.size()),
                               static_cast<uint32_t>(value.size()), 0, batch.bytes.size(), kNow});
      batch.bytes.Append(key);
      batch.bytes.Append(value);
    }
    made.push_back(std::move(batch));
  }
  return made;
}

double CpuSeconds(int whose) {
  rusage usage{};
  getrusage(whose, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double WritersCpu() { return CpuSeconds(RUSAGE_SELF) - CpuSeconds(RUSAGE_THREAD); }

// Arguments: codec (0 none, 1 gzip, 2 zstd), level.
void Lines(benchmark::State& state) {
  log::Configure({log::Level::kError, false});
  const char* named = std::getenv("BRONZE_BENCH_ROOT");
  const std::string root =
      Format("{}/bronze-bench-{}", named != nullptr ? named : "/dev/shm", NewUuid());
  auto store = FileStore::Open(root);
  const SystemClock clock;
  bronze::Options options;
  options.source = "shop";
  options.slot = "bench";
  options.compression = static_cast<Compression>(state.range(0));
  options.level = static_cast<int>(state.range(1));
  auto writer = bronze::BronzeWriter::Open(**store, clock, options,
                                           {[](const SourcePosition&) {}, [](const Error&) {}});
  if (!writer.ok()) return state.SkipWithError(writer.error().ToString().c_str());
  const std::vector<RecordBatch> batches = MakeBatches(100, 1000);
  Lsn lsn = 1000;
  int64_t records = 0;
  int64_t bytes = 0;
  const double cpu = WritersCpu();
  for (auto _ : state) {
    for (const RecordBatch& made : batches) {
      RecordBatch batch;
      batch.bytes.Append(made.bytes.view());
      batch.records = made.records;
      batch.streams = made.streams;
      lsn += 100;
      batch.ends_at = SourcePosition{1, 1, {lsn, 0}, lsn + 50, 0};
      records += static_cast<int64_t>(batch.records.size());
      bytes += static_cast<int64_t>(batch.bytes.size());
      if (!(*writer)->Write(std::move(batch)).ok()) return state.SkipWithError("the writer failed");
    }
    if (!(*writer)->Flush().ok()) return state.SkipWithError("the flush failed");
  }
  const double spent = WritersCpu() - cpu;
  state.SetItemsProcessed(records);
  state.SetBytesProcessed(bytes);
  state.counters["per_core"] = static_cast<double>(records) / spent;
  state.counters["bytes_each"] = static_cast<double>(bytes) / static_cast<double>(records);
  writer->reset();
  std::filesystem::remove_all(root);
}
BENCHMARK(Lines)->Args({2, 1})->Args({1, 1})->Args({0, 0})->UseRealTime()->Unit(
    benchmark::kMillisecond);

}  // namespace
}  // namespace millrace

BENCHMARK_MAIN();
