#include "port/object_store.h"

#include "base/format.h"

namespace millrace {

Result<std::string> ObjectStore::Relative(std::string_view uri_text) const {
  const std::string& root = uri();
  if (uri_text.size() <= root.size() + 1 || !uri_text.starts_with(root) ||
      uri_text[root.size()] != '/') {
    return Fail(ErrorKind::kInvalidInput, "'{}' is not under the store's root '{}'", uri_text,
                root);
  }
  return std::string(uri_text.substr(root.size() + 1));
}

}  // namespace millrace
