#include "adapter/source_postgres/stream/catch_up.h"

#include <sys/prctl.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "base/format.h"

namespace millrace::postgres {
namespace {

using std::string_view_literals::operator""sv;

constexpr size_t kPieceBytes = size_t{256} << 10;
constexpr size_t kAheadBytes = size_t{24} << 20;  // of messages that were fetched and not handled

struct Row {
  Lsn lsn;
  uint64_t size;
};

Error Stopped() { return Error(ErrorKind::kCancelled, "catching up: asked to stop"); }

uint64_t BigEndian(const char* p, size_t size) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i) value = value << 8 | static_cast<unsigned char>(p[i]);
  return value;
}

}  // namespace

Result<std::unique_ptr<CatchUp>> CatchUp::Start(const PostgresSourceOptions& options,
                                                const std::string& publication_names, Lsn from) {
  MR_ASSIGN(auto connection, Connection::Open(options, Connection::Mode::kSql));
  // What does not fit goes to the server's temporary files.
  MR_TRY(connection->Execute("SET work_mem = '64MB'"));
  const std::string copy = Format("{}_{}", options.slot.substr(0, 50), connection->server_pid());
  MR_TRY(connection->Query("SELECT pg_copy_logical_replication_slot($1, $2, true)",
                           {options.slot, copy}));
  MR_TRY(connection->Query(
      "SELECT pg_replication_slot_advance(slot_name, $2::pg_lsn) FROM pg_replication_slots "
      "WHERE slot_name = $1 AND confirmed_flush_lsn < $2::pg_lsn",
      {copy, FormatLsn(from)}));
  return std::unique_ptr<CatchUp>(new CatchUp(std::move(connection), copy, publication_names));
}

Status CatchUp::ReadTo(Lsn from, Lsn goal, Lsn window, const Message& message,
                       const Reached& reached, std::stop_token stop) {
  BoundedQueue<Piece> pieces(kAheadBytes);
  Status fetched;
  std::jthread ahead([&](std::stop_token fetching) {
    prctl(PR_SET_NAME, "capture-ahead");
    fetched = FetchAll(from, goal, window, pieces, fetching);
    pieces.Close();
  });
  const std::stop_callback forward(stop, [&] { ahead.request_stop(); });
  const Status handled = HandleAll(pieces, message, reached, stop);
  if (!handled.ok()) ahead.request_stop();
  ahead.join();
  MR_TRY(handled);
  return fetched;
}

Status CatchUp::FetchAll(Lsn from, Lsn goal, Lsn window, BoundedQueue<Piece>& pieces,
                         std::stop_token stop) {
  Piece piece;
  const auto push = [&]() -> Status {
    const size_t size = piece.rows.size();
    if (!pieces.Push(std::exchange(piece, {}), size, stop)) return Stopped();
    return {};
  };
  for (Lsn end = from; end < goal;) {
    end = std::min(goal, end + window);
    MR_TRY(Fetch(
        end,
        [&](Lsn lsn, std::string_view message) -> Status {
          const Row row{lsn, message.size()};
          piece.rows.Append(&row, sizeof row);
          piece.rows.Append(message);
          return piece.rows.size() < kPieceBytes ? Status() : push();
        },
        stop));
    piece.reached = end;
    MR_TRY(push());
  }
  return {};
}

Status CatchUp::HandleAll(BoundedQueue<Piece>& pieces, const Message& message,
                          const Reached& reached, std::stop_token stop) {
  while (!pieces.closed_and_empty()) {
    if (stop.stop_requested()) return Stopped();
    const auto piece = pieces.Pop(std::chrono::hours(1), stop);
    if (!piece) continue;
    for (std::string_view rows = piece->rows.view(); !rows.empty();) {
      Row row;
      std::memcpy(&row, rows.data(), sizeof row);
      MR_TRY(message(row.lsn, rows.substr(sizeof row, row.size)));
      rows.remove_prefix(sizeof row + row.size);
    }
    if (piece->reached != 0) MR_TRY(reached(piece->reached));
  }
  return {};
}

Status CatchUp::Fetch(Lsn end, const Message& message, std::stop_token stop) {
  const std::string sql = Format(
      "COPY (SELECT lsn, data FROM pg_logical_slot_get_binary_changes({}, {}, NULL, "
      "'proto_version', '1', "
      "'publication_names', {})) TO STDOUT (FORMAT binary)",
      QuoteLiteral(slot_), QuoteLiteral(FormatLsn(end)), QuoteLiteral(publication_names_));
  const std::stop_callback cancel(stop, [this] { connection_->Cancel(); });
  BinaryCopyReader reader;
  const Status read = connection_->CopyOut(
      sql,
      [&](char* data, size_t size) {
        return reader.Read({data, size}, message);
      },
      Connection::CopyFormat::kBinary);
  if (!read.ok() && stop.stop_requested()) return Stopped();
  return read;
}

// Documentation of COPY, "Binary Format".
Status BinaryCopyReader::Read(std::string_view piece,
                              const std::function<Status(Lsn, std::string_view)>& row) {
  constexpr auto kSignature = "PGCOPY\n\xff\r\n\0"sv;
  const auto damaged = [] {
    return Fail(ErrorKind::kCorrupt,
                "catching up: what the server copied is not of COPY's binary format");
  };
  if (!header_read_) {
    constexpr size_t kFixed =
        kSignature.size() + 8;  // flags and the length of what extends the header
    if (piece.size() < kFixed || piece.substr(0, kSignature.size()) != kSignature) return damaged();
    const uint64_t extension = BigEndian(piece.data() + kSignature.size() + 4, 4);
    if (piece.size() - kFixed < extension) return damaged();
    piece.remove_prefix(kFixed + extension);
    header_read_ = true;
  }
  while (!piece.empty()) {
    if (piece.size() < 2) return damaged();
    if (piece.size() == 2 && BigEndian(piece.data(), 2) == 0xFFFF) return {};  // the trailer
    constexpr size_t kBeforeMessage = 2 + 4 + 8 + 4;
    if (piece.size() < kBeforeMessage || BigEndian(piece.data(), 2) != 2 ||
        BigEndian(piece.data() + 2, 4) != 8)
      return damaged();
    const Lsn lsn = BigEndian(piece.data() + 6, 8);
    const uint64_t size = BigEndian(piece.data() + 14, 4);
    if (piece.size() - kBeforeMessage < size) return damaged();
    MR_TRY(row(lsn, piece.substr(kBeforeMessage, size)));
    piece.remove_prefix(kBeforeMessage + size);
  }
  return {};
}

}  // namespace millrace::postgres
