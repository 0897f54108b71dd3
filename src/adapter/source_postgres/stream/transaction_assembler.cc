#include "adapter/source_postgres/stream/transaction_assembler.h"

#include <algorithm>
#include <filesystem>

#include "adapter/source_postgres/protocol/pgoutput.h"
#include "base/format.h"

namespace millrace::postgres {
namespace {

constexpr std::string_view kSuffix = ".spill";

Error OutOfOrder(std::string_view what) { return Fail(ErrorKind::kCorrupt, "pgoutput: {}", what); }

Status RemoveLeftovers(const std::string& folder) {
  std::error_code failed;
  if (!std::filesystem::exists(folder, failed)) return {};
  for (std::filesystem::directory_iterator entry(folder, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    if (entry->path().extension() == kSuffix) std::filesystem::remove(entry->path(), failed);
  }
  if (!failed) return {};
  return Fail(ErrorKind::kPermission, "cannot clear the folder of scratch files '{}': {}", folder,
              failed.message());
}

}  // namespace

Result<std::unique_ptr<TransactionAssembler>> TransactionAssembler::Open(std::string folder,
                                                                         Output output) {
  MR_TRY(RemoveLeftovers(folder));
  MR_ASSIGN(auto compressor, NewCompressor(Compression::kZstd, 1));
  return std::unique_ptr<TransactionAssembler>(
      new TransactionAssembler(std::move(folder), std::move(compressor), std::move(output)));
}

Status TransactionAssembler::Handle(Lsn lsn, std::string_view message, std::stop_token stop) {
  if (message.empty()) return OutOfOrder("an empty message");
  if (block_ != nullptr) return HandleInBlock(lsn, message);
  switch (message[0]) {
    case 'S':
      return HandleStart(message);
    case 'c':
      return HandleCommit(message, stop);
    case 'A':
      return HandleAbort(message);
    case 'E':
      return OutOfOrder("STREAM STOP without STREAM START");
    default:
      return output_(lsn, message);
  }
}

Status TransactionAssembler::HandleInBlock(Lsn lsn, std::string_view message) {
  Streamed& streamed = *block_;
  switch (message[0]) {
    case 'E':
      block_ = nullptr;
      return {};
    case 'O':  // the only one without the xid of its subtransaction: it is of the whole
      return streamed.messages.Append(lsn, streamed.xid, 'O', message.substr(1), *compressor_);
    case 'I':
    case 'U':
    case 'D':
    case 'T':
    case 'R': {
      MR_ASSIGN(const StreamedMessage part, ParseStreamed(message));
      return streamed.messages.Append(lsn, part.xid, message[0], part.rest, *compressor_);
    }
    case 'Y':
    case 'M':  // nothing that the decoder would use
      return {};
    default:
      return OutOfOrder(Format("a message of type {:#04x} between STREAM START and STREAM STOP",
                               static_cast<unsigned char>(message[0])));
  }
}

Status TransactionAssembler::HandleStart(std::string_view message) {
  MR_ASSIGN(const StreamStartMessage start, ParseStreamStart(message));
  // A transaction that a crash of its server ended has no STREAM ABORT, and xids come again.
  if (start.first) open_.erase(start.xid);
  const auto [found, added] = open_.try_emplace(
      start.xid, start.xid, Format("{}/transaction-{}{}", folder_, start.xid, kSuffix));
  if (added && !start.first) return OutOfOrder("STREAM START goes on with an unknown transaction");
  block_ = &found->second;
  return {};
}

Status TransactionAssembler::HandleCommit(std::string_view message, std::stop_token stop) {
  MR_ASSIGN(const StreamCommitMessage commit, ParseStreamCommit(message));
  const auto found = open_.find(commit.xid);
  if (found == open_.end()) return OutOfOrder("STREAM COMMIT of an unknown transaction");
  Streamed& streamed = found->second;
  std::sort(streamed.aborted.begin(), streamed.aborted.end());
  MR_TRY(output_(0, commit.begin));
  MR_TRY(streamed.messages.Replay(
      [&](Lsn lsn, uint32_t xid, std::string_view part) -> Status {
        if (std::binary_search(streamed.aborted.begin(), streamed.aborted.end(), xid)) return {};
        return output_(lsn, part);
      },
      stop));
  MR_TRY(output_(0, commit.commit));
  open_.erase(found);
  return {};
}

// The server sends one for each subtransaction that it streamed anything of, and describes the
// tables again to what comes after.
Status TransactionAssembler::HandleAbort(std::string_view message) {
  MR_ASSIGN(const StreamAbortMessage abort, ParseStreamAbort(message));
  const auto found = open_.find(abort.xid);
  if (found == open_.end()) return {};
  if (abort.subxid == abort.xid) {
    open_.erase(found);
  } else {
    found->second.aborted.push_back(abort.subxid);
  }
  return {};
}

}  // namespace millrace::postgres
