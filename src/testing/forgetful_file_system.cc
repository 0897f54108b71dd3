#include "testing/forgetful_file_system.h"

#include <filesystem>
#include <fstream>
#include <iterator>

namespace millrace::testing {
namespace {

std::string ParentOf(const std::string& path) { return path.substr(0, path.rfind('/')); }
std::string NameOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

int ForgetfulFileSystem::Enter() {
  ++calls_;
  return fail_ && calls_ > fail_->first ? -fail_->second : 0;
}

void ForgetfulFileSystem::FailAfter(int64_t calls, int error) {
  std::lock_guard lock(mutex_);
  fail_ = {calls_ + calls, error};
}

void ForgetfulFileSystem::Heal() {
  std::lock_guard lock(mutex_);
  fail_.reset();
}

int64_t ForgetfulFileSystem::calls() const {
  std::lock_guard lock(mutex_);
  return calls_;
}

bool ForgetfulFileSystem::Inside(const std::string& path) const {
  return path.size() > root_.size() && path.starts_with(root_) && path[root_.size()] == '/';
}

ForgetfulFileSystem::Node ForgetfulFileSystem::Find(const std::string& path) {
  if (path == root_) return 1;
  const Node parent = Find(ParentOf(path));
  const Names& names = nodes_[parent].names;
  const auto found = names.find(NameOf(path));
  return found == names.end() ? 0 : found->second;
}

ForgetfulFileSystem::Entry& ForgetfulFileSystem::FolderOf(const std::string& path) {
  return nodes_[Find(ParentOf(path))];
}

int ForgetfulFileSystem::CreateFile(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (const int code = Enter(); code < 0) return code;
  const int fd = kernel_.CreateFile(path);
  if (fd < 0) return fd;
  nodes_[++last_node_] = {};
  FolderOf(path).names[NameOf(path)] = last_node_;
  open_[fd] = {last_node_, path};
  return fd;
}

int ForgetfulFileSystem::OpenFile(const std::string& path) { return kernel_.OpenFile(path); }

int ForgetfulFileSystem::Write(int fd, std::string_view bytes) {
  std::lock_guard lock(mutex_);
  if (const int code = Enter(); code < 0) return code;
  return kernel_.Write(fd, bytes);
}

int ForgetfulFileSystem::SyncFile(int fd) {
  std::lock_guard lock(mutex_);
  if (const int code = Enter(); code < 0) return code;
  const auto& [node, path] = open_.at(fd);
  std::ifstream in(path, std::ios::binary);
  nodes_[node].synced_bytes.assign(std::istreambuf_iterator<char>(in), {});
  return 0;
}

int ForgetfulFileSystem::Close(int fd) {
  std::lock_guard lock(mutex_);
  open_.erase(fd);
  return kernel_.Close(fd);
}

int ForgetfulFileSystem::Rename(const std::string& from, const std::string& to) {
  std::lock_guard lock(mutex_);
  if (const int code = Enter(); code < 0) return code;
  if (const int code = kernel_.Rename(from, to); code < 0) return code;
  const Node node = Find(from);
  FolderOf(from).names.erase(NameOf(from));
  FolderOf(to).names[NameOf(to)] = node;
  return 0;
}

int ForgetfulFileSystem::Link(const std::string& from, const std::string& to) {
  std::lock_guard lock(mutex_);
  if (const int code = Enter(); code < 0) return code;
  if (const int code = kernel_.Link(from, to); code < 0) return code;
  FolderOf(to).names[NameOf(to)] = Find(from);
  return 0;
}

int ForgetfulFileSystem::Unlink(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (const int code = kernel_.Unlink(path); code < 0) return code;
  FolderOf(path).names.erase(NameOf(path));
  return 0;
}

int ForgetfulFileSystem::MakeFolder(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (!Inside(path)) return kernel_.MakeFolder(path);
  if (const int code = Enter(); code < 0) return code;
  if (const int code = kernel_.MakeFolder(path); code < 0) return code;
  nodes_[++last_node_] = {true, "", {}, {}};
  FolderOf(path).names[NameOf(path)] = last_node_;
  return 0;
}

int ForgetfulFileSystem::SyncFolder(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (path != root_ && !Inside(path)) return 0;
  if (const int code = Enter(); code < 0) return code;
  Entry& folder = nodes_[Find(path)];
  folder.synced_names = folder.names;
  return 0;
}

void ForgetfulFileSystem::Restore(const std::string& path, const Entry& folder) {
  for (const auto& [name, node] : folder.synced_names) {
    const Entry& entry = nodes_[node];
    const std::string full = path + "/" + name;
    if (entry.folder) {
      std::filesystem::create_directory(full);
      Restore(full, entry);
    } else {
      std::ofstream(full, std::ios::binary) << entry.synced_bytes;
    }
  }
}

void ForgetfulFileSystem::PowerCut() {
  std::lock_guard lock(mutex_);
  for (const auto& item : std::filesystem::directory_iterator(root_))
    std::filesystem::remove_all(item.path());
  Restore(root_, nodes_[1]);
  for (auto& [node, entry] : nodes_) entry.names = entry.synced_names;
}

}  // namespace millrace::testing
