#pragma once

#include <memory>
#include <string>

#include "port/catalog.h"
#include "port/clock.h"
#include "port/object_store.h"

namespace millrace {

// An Iceberg catalog in SQLite, laid out as Java's JdbcCatalog, with commits of several tables in
// one transaction.
class SqlCatalog {
 public:
  // `catalog_name` must be the name that readers give their catalog, or they see no table.
  // `warehouse` is a URI under the store's root, without a trailing slash: the location of tables
  // created without one is <warehouse>/<namespace>/<name>. `store` and `clock` must outlive it.
  static Result<std::unique_ptr<Catalog>> Open(const std::string& db_path,
                                               const std::string& catalog_name, ObjectStore& store,
                                               Clock& clock, const std::string& warehouse);
};

}  // namespace millrace
