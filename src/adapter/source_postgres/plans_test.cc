// The decisions that need no server: publications, resuming, chunks, globs, keys, findings.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapter/source_postgres/check_source.h"
#include "adapter/source_postgres/server/server_error.h"
#include "adapter/source_postgres/server/slot.h"
#include "adapter/source_postgres/tables/key_types.h"
#include "adapter/source_postgres/tables/publication.h"

namespace millrace::postgres {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TableEntry Table(std::string name, bool identifies = true) {
  TableEntry table;
  table.oid = static_cast<uint32_t>(std::hash<std::string>{}(name));
  table.schema = "public";
  table.table = std::move(name);
  table.has_primary_key = table.identifies_rows = identifies;
  return table;
}
PublicationState Existing(std::vector<std::string> tables, bool managed) {
  return {.exists = true,
          .all_tables = false,
          .insert = true,
          .update = true,
          .remove = true,
          .truncate = true,
          .via_root = true,
          .managed = managed,
          .tables = std::move(tables)};
}
PublicationState ExistingInsert(std::vector<std::string> tables, bool managed) {
  PublicationState state = Existing(std::move(tables), managed);
  state.update = state.remove = false;
  return state;
}

TEST(Publications, AreCreatedApart) {
  const auto plan = PlanPublications("p", {Table("b"), Table("a"), Table("n", false)}, {}, {});
  EXPECT_THAT(
      plan.statements,
      ElementsAre(
          R"(CREATE PUBLICATION "p" FOR TABLE ONLY "public"."a", ONLY "public"."b" )"
          R"(WITH (publish = 'insert, update, delete, truncate', publish_via_partition_root = true))",
          R"(COMMENT ON PUBLICATION "p" IS 'managed by millrace')",
          R"(CREATE PUBLICATION "p_insert" FOR TABLE ONLY "public"."n" )"
          R"(WITH (publish = 'insert, truncate', publish_via_partition_root = true))",
          R"(COMMENT ON PUBLICATION "p_insert" IS 'managed by millrace')"));
}

TEST(Publications, OthersAreAddedToButNeverTakenFrom) {
  const std::vector<std::string> there = {R"("public"."a")", R"("public"."old")"};
  EXPECT_THAT(
      PlanPublications("p", {Table("a"), Table("b")}, Existing(there, false), {}).statements,
      ElementsAre(R"(ALTER PUBLICATION "p" ADD TABLE ONLY "public"."b")"));
  EXPECT_THAT(PlanPublications("p", {Table("a"), Table("b")}, Existing(there, true), {}).statements,
              ElementsAre(R"(ALTER PUBLICATION "p" DROP TABLE ONLY "public"."old")",
                          R"(ALTER PUBLICATION "p" ADD TABLE ONLY "public"."b")"));
  EXPECT_THAT(
      PlanPublications("p", {Table("a")}, Existing({R"("public"."a")"}, true), {}).statements,
      IsEmpty());
}

TEST(Publications, WhatOthersLeaveOutOfOursIsPutBack) {
  PublicationState state = Existing({R"("public"."a")"}, true);
  state.restricted = {R"("public"."b")"};
  EXPECT_THAT(PlanPublications("p", {Table("a"), Table("b")}, state, {}).statements,
              ElementsAre(R"(ALTER PUBLICATION "p" DROP TABLE ONLY "public"."b")",
                          R"(ALTER PUBLICATION "p" ADD TABLE ONLY "public"."b")"));
  state.managed = false;
  auto plan = PlanPublications("p", {Table("a"), Table("b")}, state, {});
  EXPECT_THAT(plan.statements, IsEmpty());
  EXPECT_THAT(plan.warnings, ElementsAre(HasSubstr("row filters")));

  state = ExistingInsert({R"("public"."a")"}, true);
  EXPECT_TRUE(LeavesOut(state, false));
  EXPECT_FALSE(LeavesOut(state, true));
  plan = PlanPublications("p", {Table("a")}, state, {});
  EXPECT_THAT(plan.statements,
              ElementsAre(R"(ALTER PUBLICATION "p" SET (publish = 'insert, update, delete, )"
                          R"(truncate', publish_via_partition_root = true))"));
  EXPECT_THAT(plan.warnings, IsEmpty());
}

TEST(Publications, WarnOfWhatBreaksTheUsersWrites) {
  PublicationState all = Existing({}, false);
  all.all_tables = true;
  auto plan = PlanPublications("p", {Table("a"), Table("n", false)}, all, {});
  EXPECT_THAT(plan.statements, IsEmpty());
  EXPECT_THAT(plan.warnings, ElementsAre(HasSubstr("FOR ALL TABLES")));
  plan = PlanPublications("p", {Table("n", false)}, Existing({}, true),
                          Existing({R"("public"."n")"}, true));
  EXPECT_THAT(plan.warnings, ElementsAre(HasSubstr("refuses UPDATE and DELETE")));
  EXPECT_THAT(PlanPublications("p", {Table("n", false)}, Existing({}, true),
                               ExistingInsert({R"("public"."n")"}, true))
                  .warnings,
              IsEmpty());
}

TEST(Globs, Match) {
  EXPECT_TRUE(MatchesGlob("public.*", "public.orders"));
  EXPECT_TRUE(MatchesGlob("*.t?", "a.t1"));
  EXPECT_TRUE(MatchesGlob("*", ""));
  EXPECT_TRUE(MatchesGlob("a*b*c", "a.b.b.c"));
  EXPECT_FALSE(MatchesGlob("public.*", "other.orders"));
  EXPECT_FALSE(MatchesGlob("a?", "a"));
  EXPECT_FALSE(MatchesGlob("", "a"));
  TableEntry unlogged = Table("u");
  unlogged.unlogged = true;
  const auto selected = SelectTables({Table("a"), Table("b"), unlogged}, {"public.*"}, {"*.b"});
  ASSERT_EQ(selected.size(), 1u);
  EXPECT_EQ(selected[0].table, "a");
}

const SourcePosition kPosition{
    .system_id = 5, .timeline = 2, .last = {0x100, 0}, .resume_lsn = 0x200, .commit_time = 1};
SlotState GoodSlot() {
  return {.plugin = "pgoutput",
          .database = "db",
          .logical = true,
          .active = false,
          .active_pid = 0,
          .wal_status = "reserved",
          .restart_lsn = 0x80,
          .confirmed_flush = 0x200};
}
ErrorKind Resume(SystemIdentity system, std::optional<SlotState> slot,
                 std::string_view history = "") {
  const Status status = CheckResume(kPosition, system, history, "s", slot, "db");
  return status.ok() ? ErrorKind::kInternal : status.error().kind();
}

TEST(Resume, OnlyWhereNothingIsMissing) {
  EXPECT_TRUE(CheckResume(kPosition, {5, 2, 0x300}, "", "s", GoodSlot(), "db").ok());
  EXPECT_EQ(Resume({6, 2, 0x300}, GoodSlot()), ErrorKind::kFenced);
  EXPECT_EQ(Resume({5, 2, 0x300}, std::nullopt), ErrorKind::kFenced);
  SlotState slot = GoodSlot();
  slot.confirmed_flush = 0x201;
  EXPECT_EQ(Resume({5, 2, 0x300}, slot), ErrorKind::kFenced);
  slot = GoodSlot();
  slot.wal_status = "lost";
  EXPECT_EQ(Resume({5, 2, 0x300}, slot), ErrorKind::kFenced);
  slot = GoodSlot();
  slot.active = true;
  EXPECT_EQ(Resume({5, 2, 0x300}, slot), ErrorKind::kUnavailable);
  slot = GoodSlot();
  slot.two_phase = true;
  EXPECT_EQ(Resume({5, 2, 0x300}, slot), ErrorKind::kUnsupported);
  EXPECT_EQ(Resume({5, 2, 0x1FF}, GoodSlot()), ErrorKind::kFenced);  // an older copy
  EXPECT_TRUE(CheckResume(kPosition, {5, 2, 0x200}, "", "s", GoodSlot(), "db").ok());
  slot = GoodSlot();
  slot.plugin = "wal2json";
  EXPECT_EQ(Resume({5, 2, 0x300}, slot), ErrorKind::kInvalidInput);
}

TEST(Resume, AcrossAFailoverThatLostNothingOfOurs) {
  const std::string history =
      "1\t0/50\tno recovery target specified\n\n2\t0/200\tno recovery target specified\n";
  EXPECT_TRUE(CheckResume(kPosition, {5, 3, 0x300}, history, "s", GoodSlot(), "db").ok());
  EXPECT_EQ(Resume({5, 3, 0x300}, GoodSlot(), "1\t0/50\tx\n2\t0/1FF\tx\n"),
            ErrorKind::kFenced);  // we hold more than the new primary
  EXPECT_EQ(Resume({5, 3, 0x300}, GoodSlot(), "1\t0/50\tx\n"),
            ErrorKind::kFenced);  // not our branch
  EXPECT_EQ(Resume({5, 3, 0x300}, GoodSlot(), ""), ErrorKind::kFenced);
}

TEST(Keys, AreComparedAsPostgresDoesOrRefused) {
  const auto judge = [](std::string type, char kind = 'b', bool typmod = false,
                        bool deterministic = true) {
    return JudgeKey({.relation_oid = 1,
                     .column = "k",
                     .type_name = std::move(type),
                     .type_kind = kind,
                     .has_typmod = typmod,
                     .deterministic = deterministic})
        .fitness;
  };
  EXPECT_EQ(judge("int8"), KeyFitness::kFit);
  EXPECT_EQ(judge("text"), KeyFitness::kFit);
  EXPECT_EQ(judge("mood", 'e'), KeyFitness::kFit);
  EXPECT_EQ(judge("numeric", 'b', true), KeyFitness::kFit);
  EXPECT_EQ(judge("numeric"), KeyFitness::kCareful);
  EXPECT_EQ(judge("float8"), KeyFitness::kCareful);
  EXPECT_EQ(judge("citext"), KeyFitness::kUnfit);
  EXPECT_EQ(judge("interval"), KeyFitness::kUnfit);
  EXPECT_EQ(judge("text", 'b', false, false), KeyFitness::kUnfit);
}

TEST(Keys, ARelationIsRefusedForItsFirstUnfitColumn) {
  const auto unfit = UnfitKeys({{.relation_oid = 1, .column = "a", .type_name = "int8"},
                                {.relation_oid = 2, .column = "b", .type_name = "numeric"},
                                {.relation_oid = 3, .column = "c", .type_name = "int8"},
                                {.relation_oid = 3, .column = "d", .type_name = "citext"},
                                {.relation_oid = 3, .column = "e", .type_name = "interval"}});
  ASSERT_EQ(unfit.size(), 1u);
  EXPECT_EQ(unfit.at(3),
            "key column 'd' cannot be compared outside of PostgreSQL: values of type citext can be "
            "equal to PostgreSQL while their text differs");
}

TEST(SqlStates, SayWhatToDo) {
  EXPECT_EQ(KindOfSqlState("42501"), ErrorKind::kPermission);
  EXPECT_EQ(KindOfSqlState("57P01"), ErrorKind::kUnavailable);  // terminated by an administrator
  EXPECT_EQ(KindOfSqlState("55006"), ErrorKind::kUnavailable);
  EXPECT_EQ(KindOfSqlState("58P01"), ErrorKind::kFenced);
  EXPECT_EQ(KindOfSqlState("42601"), ErrorKind::kInternal);  // a syntax error in our own SQL
}

SourceFacts GoodFacts() {
  SourceFacts facts;
  facts.settings = {{"wal_level", "logical"},
                    {"max_replication_slots", "10"},
                    {"max_wal_senders", "10"},
                    {"server_encoding", "UTF8"},
                    {"max_slot_wal_keep_size", "10GB"}};
  facts.server_version = 150018;
  facts.database = "db";
  facts.user = "me";
  facts.replication = facts.may_create = true;
  facts.all_tables = facts.tables = {Table("a")};
  facts.publication = Existing({R"("public"."a")"}, true);
  return facts;
}
std::string Problems(const SourceFacts& facts) {
  std::string problems;
  for (const Finding& f : Judge(facts, {})) {
    if (f.level != Finding::Level::kOk)
      problems += std::string(LevelName(f.level)) + " " + f.topic + " [" + f.cure + "]\n";
  }
  return problems;
}

TEST(CheckSource, FindsNothingWhereAllIsWell) { EXPECT_EQ(Problems(GoodFacts()), ""); }

TEST(CheckSource, NamesTheCure) {
  SourceFacts facts = GoodFacts();
  facts.settings["wal_level"] = "replica";
  facts.settings["server_encoding"] = "SQL_ASCII";
  facts.settings["max_slot_wal_keep_size"] = "-1";
  facts.slots_used = 10;
  facts.replication = false;
  facts.unreadable = {R"("public"."a")"};
  EXPECT_EQ(Problems(facts), R"(error wal_level [ALTER SYSTEM SET wal_level = 'logical']
error max_replication_slots [ALTER SYSTEM SET max_replication_slots = 14]
error encoding []
warn max_slot_wal_keep_size [ALTER SYSTEM SET max_slot_wal_keep_size = '50GB']
error role [ALTER ROLE "me" REPLICATION]
error table "public"."a" [GRANT SELECT ON "public"."a" TO "me"]
)");
}

TEST(CheckSource, APublicationThatHasToBeMadeNeedsAnOwner) {
  SourceFacts facts = GoodFacts();
  facts.foreign_owners = {"shop"};
  EXPECT_EQ(Problems(facts), "");  // it is made already
  facts.publication = {};
  EXPECT_TRUE(Problems(facts).starts_with("error publication [CREATE PUBLICATION"))
      << Problems(facts);
  facts.superuser = true;
  EXPECT_TRUE(Problems(facts).starts_with("warn publication [CREATE PUBLICATION"))
      << Problems(facts);
}

TEST(CheckSource, LooksAtEachTable) {
  SourceFacts facts = GoodFacts();
  TableEntry unlogged = Table("u");
  unlogged.unlogged = true;
  facts.tables = {Table("a"), Table("n", false)};
  facts.all_tables = {Table("a"), Table("n", false), unlogged};
  facts.insert_publication = ExistingInsert({R"("public"."n")"}, true);
  facts.generated_columns[Table("a").oid] = {"g"};
  facts.keys = {{.relation_oid = Table("a").oid,
                 .column = "k",
                 .type_name = "citext",
                 .type_kind = 'b',
                 .has_typmod = false,
                 .deterministic = true}};
  EXPECT_EQ(Problems(facts), R"(warn table public.u [ALTER TABLE "public"."u" SET LOGGED]
error table public.a []
warn table public.a []
warn table public.n [ALTER TABLE "public"."n" REPLICA IDENTITY FULL]
)");
}

TEST(CheckSource, TablesThatCouldNotBeWholeAreErrors) {
  SourceFacts facts = GoodFacts();
  TableEntry empty = Table("e");
  empty.without_columns = true;
  TableEntry odd = Table("a&b"), odder = Table("a b");
  odd.oid = 101;
  odder.oid = 102;
  facts.user = "me";
  facts.tables = {Table("a"), odder, odd};
  facts.all_tables = {Table("a"), odder, odd, empty};
  facts.publication.tables = {R"("public"."a b")", R"("public"."a")", R"("public"."a&b")"};
  facts.row_security = {Table("a").oid};
  EXPECT_EQ(Problems(facts), R"(warn table public.e []
error table public.a [ALTER ROLE "me" BYPASSRLS]
error table public.a&b []
)");
}

}  // namespace
}  // namespace millrace::postgres
