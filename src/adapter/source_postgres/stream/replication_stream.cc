#include "adapter/source_postgres/stream/replication_stream.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <cstring>

#include "adapter/source_postgres/server/server_error.h"
#include "base/format.h"
#include "base/time.h"

namespace millrace::postgres {
namespace {

using std::chrono::steady_clock;
using namespace std::chrono_literals;

// A confirmed position is sent at once, but not more often than this.
constexpr auto kConfirmPace = 1s;
// Silence after which we ask the server for a sign of life, and then give the connection up.
constexpr auto kSilence = 30s;

uint64_t BigEndian(uint64_t value) { return __builtin_bswap64(value); }
uint64_t ReadUint64(const char* p) {
  uint64_t value;
  std::memcpy(&value, p, sizeof value);
  return BigEndian(value);
}

}  // namespace

Result<std::unique_ptr<ReplicationStream>> ReplicationStream::Start(
    std::unique_ptr<Connection> connection, const Request& request) {
  const std::string& slot = request.slot;
  const std::string command =
      Format("START_REPLICATION SLOT {} LOGICAL {} ({}, publication_names {})",
             QuoteIdentifier(slot), FormatLsn(request.start),
             request.in_progress ? "proto_version '2', streaming 'on'" : "proto_version '1'",
             QuoteLiteral(request.publication_names));
  PGresult* result = PQexec(connection->raw(), command.c_str());
  const bool started = PQresultStatus(result) == PGRES_COPY_BOTH;
  if (!started) {
    const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const bool lost =
        state != nullptr && std::string_view(state) == "55000";  // object not in prerequisite state
    Error error = ResultError("slot " + slot, result);
    PQclear(result);
    // PostgreSQL 17 and later, on a standby (slot.c).
    if (lost && error.message().find("for logical decoding") != std::string::npos) {
      return Fail(
          ErrorKind::kUnavailable,
          "{}: this server is a standby to which the slot is copied; promote it, or connect "
          "to the primary",
          error.message());
    }
    if (lost) {
      return Fail(ErrorKind::kFenced,
                  "{}; the server no longer has the WAL that the slot needs: start again with an "
                  "empty Bronze folder "
                  "and a new slot",
                  error.message());
    }
    return error;
  }
  PQclear(result);
  if (PQsetnonblocking(connection->raw(), 1) != 0)
    return connection->ConnectionError("slot " + slot);
  std::unique_ptr<ReplicationStream> stream(
      new ReplicationStream(std::move(connection), request.status_interval));
  stream->received_ = request.start;
  stream->status_thread_ =
      std::jthread([s = stream.get()](std::stop_token stop) { s->StatusLoop(stop); });
  return stream;
}

ReplicationStream::~ReplicationStream() {
  status_thread_.request_stop();
  if (status_thread_.joinable()) status_thread_.join();
  PQfreemem(buffer_);
  SendStatus(false);
  PGconn* raw = connection_->raw();
  if (PQstatus(raw) != CONNECTION_OK || PQputCopyEnd(raw, nullptr) != 1) return;
  // The walsender holds the slot until it has read our end and sent its own.
  const auto deadline = steady_clock::now() + 2s;
  while (steady_clock::now() < deadline) {
    PQflush(raw);
    if (PQconsumeInput(raw) == 0) return;
    char* rest = nullptr;
    int size;
    while ((size = PQgetCopyData(raw, &rest, 1)) > 0) PQfreemem(rest);
    if (size < 0) return;
    pollfd fd{PQsocket(raw), POLLIN, 0};
    poll(&fd, 1, 20);
  }
}

Result<std::optional<ReplicationStream::Message>> ReplicationStream::Next() {
  char* buffer = nullptr;
  int size;
  {
    const std::lock_guard lock(connection_mutex_);
    PQfreemem(std::exchange(buffer_, nullptr));
    size = PQgetCopyData(connection_->raw(), &buffer, 1);
    if (size == 0) {
      if (PQconsumeInput(connection_->raw()) == 0)
        return connection_->ConnectionError("replication stream");
      size = PQgetCopyData(connection_->raw(), &buffer, 1);
    }
    if (size == -1 || size == -2) return EndOfStream();
  }
  if (size == 0) return std::optional<Message>();
  buffer_ = buffer;
  const std::string_view bytes(buffer, static_cast<size_t>(size));
  Message message;
  if (bytes[0] == 'w' && bytes.size() >= 25) {
    message.kind = Message::Kind::kData;
    message.lsn = ReadUint64(buffer + 1);
    message.payload = bytes.substr(25);
  } else if (bytes[0] == 'k' && bytes.size() >= 18) {
    message.kind = Message::Kind::kKeepalive;
    message.lsn = ReadUint64(buffer + 1);
    message.reply_requested = buffer[17] != 0;
  } else {
    return Fail(ErrorKind::kCorrupt,
                "replication stream: a message of {} bytes that is neither data nor keepalive",
                bytes.size());
  }
  // RELATION messages come with LSN 0.
  if (message.lsn > received_.load(std::memory_order_relaxed))
    received_.store(message.lsn, std::memory_order_relaxed);
  if (message.reply_requested) SendStatus(false);
  return std::optional<Message>(message);
}

Status ReplicationStream::Wait(std::chrono::milliseconds timeout) {
  const auto waiting_since = steady_clock::now();
  pollfd fd{PQsocket(connection_->raw()), POLLIN, 0};
  const int ready = poll(&fd, 1, static_cast<int>(timeout.count()));
  const auto now = steady_clock::now();
  if (ready > 0) {
    last_heard_ = now;
    asked_ = false;
    return {};
  }
  // Only time spent waiting counts: a reader that was busy elsewhere did not listen.
  if (waiting_since - last_heard_ > 2 * kSilence + timeout) last_heard_ = waiting_since;
  if (now - last_heard_ > kSilence && !asked_) {
    asked_ = true;
    AskForKeepalive();
  }
  if (now - last_heard_ > 2 * kSilence) {
    return Fail(ErrorKind::kUnavailable, "replication stream: the server has been silent for {} s",
                2 * kSilence / 1s);
  }
  return {};
}

void ReplicationStream::Confirm(Lsn lsn) {
  {
    const std::lock_guard lock(confirm_mutex_);
    if (lsn <= confirmed_) return;
    confirmed_ = lsn;
  }
  confirm_changed_.notify_one();
}

void ReplicationStream::StatusLoop(std::stop_token stop) {
  Lsn sent = 0;
  auto last = steady_clock::now();
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(confirm_mutex_);
      confirm_changed_.wait_until(lock, stop, last + status_interval_,
                                  [&] { return confirmed_ > sent; });
    }
    if (const auto early = last + kConfirmPace - steady_clock::now();
        early > 0s) {  // more may come meanwhile
      std::unique_lock lock(confirm_mutex_);
      confirm_changed_.wait_for(lock, stop, early, [] { return false; });
    }
    if (stop.stop_requested()) return;
    const auto now = steady_clock::now();
    {
      const std::lock_guard lock(confirm_mutex_);
      if (confirmed_ == sent && now < last + status_interval_) continue;
      sent = confirmed_;
    }
    // The answer tells how far an idle server is.
    SendStatus(now >= last + status_interval_);
    last = now;
  }
}

void ReplicationStream::SendStatus(bool ask_for_reply) {
  Lsn confirmed;
  {
    const std::lock_guard lock(confirm_mutex_);
    confirmed = confirmed_;
  }
  // Standby status update (documentation 55.4): written, flushed, applied, time, whether to answer.
  char update[34];
  update[0] = 'r';
  const uint64_t fields[] = {std::max(received_.load(), confirmed), confirmed, confirmed,
                             static_cast<uint64_t>(WallClockNow() - kPostgresEpoch)};
  for (size_t i = 0; i < 4; ++i) {
    const uint64_t value = BigEndian(fields[i]);
    std::memcpy(update + 1 + 8 * i, &value, 8);
  }
  update[33] = ask_for_reply ? 1 : 0;
  // A failure shows to the reader, which meets the same broken connection.
  const std::lock_guard lock(connection_mutex_);
  if (PQputCopyData(connection_->raw(), update, sizeof update) == 1) PQflush(connection_->raw());
}

Error ReplicationStream::EndOfStream() {
  PGresult* result = PQgetResult(connection_->raw());
  const ExecStatusType status = PQresultStatus(result);
  if (status == PGRES_FATAL_ERROR) {
    Error error = ResultError("replication stream", result);
    PQclear(result);
    if (error.kind() != ErrorKind::kNotFound) return error;
    return Fail(
        ErrorKind::kFenced,
        "{}: it was dropped, and changes since cannot be decoded: start again with an empty "
        "Bronze folder and a new slot",
        error.message());
  }
  PQclear(result);
  return Fail(ErrorKind::kUnavailable, "replication stream: the server ended it");
}

}  // namespace millrace::postgres
