#include "port/catalog.h"

#include "base/text.h"

namespace millrace {

std::string TableIdent::ToString() const {
  return levels.empty() ? name : Join(levels, ".") + "." + name;
}

TableIdent MakeIdent(std::string_view space, std::string_view name) {
  TableIdent ident;
  for (std::string_view level : Split(space, '.')) ident.levels.emplace_back(level);
  ident.name = name;
  return ident;
}

}  // namespace millrace
