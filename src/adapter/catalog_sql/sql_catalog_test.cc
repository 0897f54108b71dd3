#include "adapter/catalog_sql/sql_catalog.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "adapter/catalog_sql/row_store.h"
#include "table/snapshot_producer.h"
#include "testing/memory_store.h"

namespace millrace {
namespace {

class SqlCatalogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/sql_catalog_test.XXXXXX";
    folder_ = mkdtemp(name);
    db_ = folder_ + "/catalog.db";
    catalog_ = Open();
    ASSERT_TRUE(catalog_->CreateNamespace({"silver"}).ok());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Catalog> Open(const std::string& name = "lake") {
    auto opened = SqlCatalog::Open(db_, name, store_, clock_, store_.uri());
    EXPECT_TRUE(opened.ok()) << opened.error().ToString();
    return std::move(opened).value();
  }
  TableCommit Create(const std::string& name) const {
    iceberg::Schema schema;
    schema.fields = {{1, "id", true, iceberg::Primitive(iceberg::TypeId::kLong), ""}};
    return table::StageCreate(
        {MakeIdent("silver", name), store_.uri() + "/silver/" + name, schema, {}, {}});
  }
  static TableCommit SetProperty(const LoadedTable& table, const std::string& key,
                                 const std::string& value) {
    return {table.ident,
            {iceberg::require::Uuid{table.metadata.table_uuid}},
            {iceberg::update::SetProperties{{{key, value}}}}};
  }
  int Exec(const std::string& sql) const {
    sqlite3* db = nullptr;
    sqlite3_open(db_.c_str(), &db);
    const int code = sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr);
    sqlite3_close(db);
    return code;
  }

  std::string folder_, db_;
  testing::MemoryStore store_;
  SystemClock clock_;
  std::unique_ptr<Catalog> catalog_;
};

TEST_F(SqlCatalogTest, CreateLoadListDrop) {
  const auto created = catalog_->Commit({Create("orders")});
  ASSERT_TRUE(created.ok()) << created.error().ToString();
  EXPECT_TRUE(
      created->at(0).metadata_location.starts_with("memory://lake/silver/orders/metadata/00000-"));
  // Another process sees it.
  auto other = Open();
  const auto loaded = other->LoadTable(MakeIdent("silver", "orders"));
  ASSERT_TRUE(loaded.ok()) << loaded.error().ToString();
  EXPECT_EQ(loaded->metadata.table_uuid, created->at(0).metadata.table_uuid);
  EXPECT_EQ(other->ListTables({"silver"})->size(), 1u);
  EXPECT_EQ(*other->ListNamespaces(), (std::vector<std::vector<std::string>>{{"silver"}}));
  // Another catalog name does not.
  EXPECT_EQ(Open("else")->LoadTable(MakeIdent("silver", "orders")).error().kind(),
            ErrorKind::kNotFound);
  ASSERT_TRUE(catalog_->DropTable(MakeIdent("silver", "orders")).ok());
  EXPECT_EQ(other->LoadTable(MakeIdent("silver", "orders")).error().kind(), ErrorKind::kNotFound);
  EXPECT_EQ(catalog_->DropTable(MakeIdent("silver", "orders")).error().kind(),
            ErrorKind::kNotFound);
}

TEST_F(SqlCatalogTest, ACommitNumbersItsMetadataAndRemembersTheLast) {
  const auto created = catalog_->Commit({Create("orders")});
  const auto changed = catalog_->Commit({SetProperty(created->at(0), "a", "1")});
  ASSERT_TRUE(changed.ok()) << changed.error().ToString();
  EXPECT_NE(changed->at(0).metadata_location.find("/metadata/00001-"), std::string::npos);
  EXPECT_EQ(changed->at(0).metadata.metadata_log.size(), 1u);
  EXPECT_EQ(changed->at(0).metadata.metadata_log[0].metadata_file,
            created->at(0).metadata_location);
  EXPECT_EQ(Open()->LoadTable(created->at(0).ident)->metadata.properties.at("a"), "1");
}

TEST_F(SqlCatalogTest, CreatingTwiceAndAStaleRequirementConflict) {
  const auto created = catalog_->Commit({Create("orders")});
  const size_t files = store_.Paths().size();
  EXPECT_EQ(catalog_->Commit({Create("orders")}).error().kind(), ErrorKind::kConflict);
  TableCommit stale = SetProperty(created->at(0), "a", "1");
  stale.requirements.push_back(iceberg::require::RefSnapshot{"main", 42});
  EXPECT_EQ(catalog_->Commit({stale}).error().kind(), ErrorKind::kConflict);
  EXPECT_EQ(store_.Paths().size(), files);
}

TEST_F(SqlCatalogTest, AllTablesOfACommitOrNone) {
  const auto both = catalog_->Commit({Create("a"), Create("b")});
  ASSERT_TRUE(both.ok());
  TableCommit wrong = SetProperty(both->at(1), "x", "1");
  wrong.requirements.push_back(iceberg::require::Uuid{"other"});
  const auto outcome = catalog_->Commit({SetProperty(both->at(0), "x", "1"), wrong});
  EXPECT_EQ(outcome.error().kind(), ErrorKind::kConflict);
  EXPECT_FALSE(catalog_->LoadTable(both->at(0).ident)->metadata.properties.contains("x"));
}

// The second row loses its compare-and-swap inside the transaction: the first row must go back too.
TEST_F(SqlCatalogTest, ALostSwapUndoesTheOthers) {
  auto rows = catalog_sql::RowStore::Open(db_, "lake");
  ASSERT_TRUE(rows.ok());
  ASSERT_TRUE((*rows)->Apply({{{"silver", "a"}, {}, "a0"}, {{"silver", "b"}, {}, "b0"}}).ok());
  const Status lost =
      (*rows)->Apply({{{"silver", "a"}, "a0", "a1"}, {{"silver", "b"}, "stale", "b1"}});
  EXPECT_EQ(lost.error().kind(), ErrorKind::kConflict);
  EXPECT_EQ(**(*rows)->Location({"silver", "a"}), "a0");
  EXPECT_EQ(**(*rows)->Location({"silver", "b"}), "b0");
}

TEST_F(SqlCatalogTest, ANamespaceIsNeededAndHasNoDots) {
  TableCommit commit = Create("orders");
  commit.ident = MakeIdent("nowhere", "orders");
  EXPECT_EQ(catalog_->Commit({commit}).error().kind(), ErrorKind::kNotFound);
  EXPECT_EQ(catalog_->CreateNamespace({"a.b"}).error().kind(), ErrorKind::kInvalidInput);
  EXPECT_TRUE(catalog_->CreateNamespace({"silver"}).ok());
}

TEST_F(SqlCatalogTest, AHeldLockIsUnavailableAndChangesNothing) {
  auto rows = catalog_sql::RowStore::Open(db_, "lake", 50);
  ASSERT_TRUE(rows.ok());
  sqlite3* holder = nullptr;
  ASSERT_EQ(sqlite3_open(db_.c_str(), &holder), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(holder, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  const std::vector<catalog_sql::Swap> swaps{{{"silver", "a"}, {}, "a0"}};
  EXPECT_EQ((*rows)->Apply(swaps).error().kind(), ErrorKind::kUnavailable);
  EXPECT_FALSE((*rows)->Location({"silver", "a"})->has_value());
  sqlite3_exec(holder, "ROLLBACK", nullptr, nullptr, nullptr);
  sqlite3_close(holder);
  EXPECT_TRUE((*rows)->Apply(swaps).ok());
}

TEST_F(SqlCatalogTest, ReadsAndWritesSchemaV0) {
  catalog_.reset();
  std::filesystem::remove(db_);
  ASSERT_EQ(Exec("CREATE TABLE iceberg_tables(catalog_name VARCHAR(255) NOT NULL, table_namespace "
                 "VARCHAR(255) NOT NULL, "
                 "table_name VARCHAR(255) NOT NULL, metadata_location VARCHAR(1000), "
                 "previous_metadata_location VARCHAR(1000), "
                 "PRIMARY KEY(catalog_name, table_namespace, table_name))"),
            SQLITE_OK);
  catalog_ = Open();
  ASSERT_TRUE(catalog_->CreateNamespace({"silver"}).ok());
  const auto created = catalog_->Commit({Create("orders")});
  ASSERT_TRUE(created.ok()) << created.error().ToString();
  EXPECT_TRUE(catalog_->Commit({SetProperty(created->at(0), "a", "1")}).ok());
  EXPECT_EQ(catalog_->ListTables({"silver"})->size(), 1u);
}

TEST_F(SqlCatalogTest, AViewIsNoTable) {
  ASSERT_EQ(Exec("INSERT INTO iceberg_tables VALUES('lake', 'silver', 'v', 'x', NULL, 'VIEW')"),
            SQLITE_OK);
  EXPECT_EQ(catalog_->LoadTable(MakeIdent("silver", "v")).error().kind(), ErrorKind::kNotFound);
  EXPECT_TRUE(catalog_->ListTables({"silver"})->empty());
}

TEST_F(SqlCatalogTest, OldMetadataFilesAreDeletedAsTheyFallOffTheLog) {
  TableCommit create = Create("orders");
  create.updates.push_back(
      iceberg::update::SetProperties{{{"write.metadata.previous-versions-max", "3"}}});
  auto table = catalog_->Commit({create});
  for (int i = 0; i < 10; ++i) {
    table = catalog_->Commit({SetProperty(table->at(0), "n", std::to_string(i))});
    ASSERT_TRUE(table.ok()) << table.error().ToString();
  }
  EXPECT_EQ(store_.Paths().size(), 4u);
}

// Lost updates: each writer adds its own keys, reloading on conflict; all keys must be there at the
// end.
TEST_F(SqlCatalogTest, ConcurrentWritersLoseNoUpdate) {
  const auto created = catalog_->Commit({Create("orders")});
  const auto write = [&](const std::string& who) {
    auto catalog = Open();
    for (int i = 0; i < 20;) {
      const auto table = catalog->LoadTable(created->at(0).ident);
      const auto outcome = catalog->Commit({SetProperty(*table, who + std::to_string(i), "1")});
      if (outcome.ok()) ++i;
    }
  };
  std::thread a(write, "a"), b(write, "b");
  a.join();
  b.join();
  const auto table = catalog_->LoadTable(created->at(0).ident);
  for (const char* who : {"a", "b"}) {
    for (int i = 0; i < 20; ++i)
      EXPECT_TRUE(table->metadata.properties.contains(who + std::to_string(i))) << who << i;
  }
}

}  // namespace
}  // namespace millrace
