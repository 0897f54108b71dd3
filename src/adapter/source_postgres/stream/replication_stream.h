#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "adapter/source_postgres/server/connection.h"
#include "base/result.h"
#include "model/position.h"

namespace millrace::postgres {

// START_REPLICATION's COPY stream: messages in, status updates out. One thread reads; a thread of
// its own sends the status updates, so that the server does not time us out while the reader is
// held up by a full sink.
class ReplicationStream {
 public:
  struct Message {
    enum class Kind { kData, kKeepalive };
    Kind kind = Kind::kData;
    Lsn lsn = 0;  // kData: where the message lay in the WAL; kKeepalive: all before it was sent
    bool reply_requested = false;
    std::string_view payload;  // kData; valid until the next call of Next
  };

  struct Request {
    std::string slot;
    std::string publication_names;
    Lsn start = 0;
    bool in_progress = false;  // large transactions come before they commit: protocol version 2
    std::chrono::milliseconds status_interval;
  };
  // Takes the connection over. kFenced when the slot cannot stream from `start` any more.
  static Result<std::unique_ptr<ReplicationStream>> Start(std::unique_ptr<Connection> connection,
                                                          const Request& request);
  // Says good-bye and lets go of the slot, waiting at most two seconds for the server.
  ~ReplicationStream();

  // What has arrived, without waiting; nullopt: nothing. kUnavailable: the connection is lost.
  Result<std::optional<Message>> Next();
  // Waits until something can be read or the timeout passed. kUnavailable when the server was
  // silent for too long.
  Status Wait(std::chrono::milliseconds timeout);

  // Everything before `lsn` is durable with us: the slot may move there. Thread-safe; sent by the
  // status thread.
  void Confirm(Lsn lsn);
  // Makes the server answer with a keepalive, and so tell how far it is.
  void AskForKeepalive() { SendStatus(true); }

 private:
  ReplicationStream(std::unique_ptr<Connection> connection,
                    std::chrono::milliseconds status_interval)
      : connection_(std::move(connection)), status_interval_(status_interval) {}
  void StatusLoop(std::stop_token stop);
  void SendStatus(bool ask_for_reply);
  Error EndOfStream();

  std::unique_ptr<Connection> connection_;
  const std::chrono::milliseconds status_interval_;
  std::mutex connection_mutex_;  // libpq's connections are not thread-safe
  char* buffer_ = nullptr;       // the message that Next gave out, libpq's memory
  std::atomic<Lsn> received_{0};
  std::chrono::steady_clock::time_point last_heard_ = std::chrono::steady_clock::now();
  bool asked_ = false;  // for a sign of life

  std::mutex confirm_mutex_;
  std::condition_variable_any confirm_changed_;
  Lsn confirmed_ = 0;  // guarded by confirm_mutex_
  std::jthread status_thread_;
};

}  // namespace millrace::postgres
