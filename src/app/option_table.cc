#include "app/option_table.h"

namespace millrace::app {
namespace {

constexpr OptionSection kSections[] = {
    {"source", "The PostgreSQL database whose changes are carried."},
    {"lake", "Where everything is kept."},
    {"bronze", "Raw events as compressed JSON lines, the log that all else is made from."},
    {"silver", "The history of every row (SCD Type 2) as Iceberg tables."},
    {"gold", "Business tables, each one SQL file over Silver."},
    {"log", "What the process says on standard error."},
};

constexpr Option kOptions[] = {
    {.key = "source.host", .fallback = "localhost", .help = "Host name, address, or directory of the Unix socket", .example = "localhost"},
    {.key = "source.port", .type = OptionType::kInt, .fallback = "5432", .help = "TCP port", .example = "5432", .min = "1", .max = "65535"},
    {.key = "source.database", .help = "Database to carry", .example = "shop", .required = true, .fixed = true},
    {.key = "source.user", .help = "Role to log in as; it needs REPLICATION and SELECT on the tables", .example = "millrace",
     .required = true},
    {.key = "source.password", .type = OptionType::kSecret, .help = "Password of that role, as a placeholder",
     .derived = "none; ~/.pgpass is used when it has a line", .example = "${env:MILLRACE_PASSWORD}"},
    {.key = "source.sslmode", .type = OptionType::kChoice, .fallback = "prefer",
     .help = "Encryption, as libpq's sslmode; use verify-full over networks you do not own",
     .choices = "disable|allow|prefer|require|verify-ca|verify-full"},
    {.key = "source.name", .help = "Name of this source: the prefix of its topics in Bronze", .derived = "the database's name", .fixed = true},
    {.key = "source.slot", .help = "Replication slot that this lake owns", .derived = "millrace_<name>", .fixed = true},
    {.key = "source.publication", .help = "Publication with the captured tables", .derived = "millrace_<name>"},
    {.key = "source.adopt_slot", .type = OptionType::kBool, .fallback = "false",
     .help = "Take over an existing slot of that name for a lake that is still empty; changes before it are not carried"},
    {.key = "source.tables.include", .type = OptionType::kList, .help = "Tables to carry, as schema.table, with * and ? as wildcards",
     .derived = "every table of every schema but the system's"},
    {.key = "source.tables.exclude", .type = OptionType::kList, .help = "Tables to leave out of the included ones, same form"},
    {.key = "source.snapshot.workers", .type = OptionType::kInt, .fallback = "2",
     .help = "Connections that read the initial snapshot side by side", .min = "1", .max = "64"},
    {.key = "source.status_interval", .type = OptionType::kDuration, .fallback = "10s",
     .help = "How often the server hears how far we are, at least; below its wal_sender_timeout", .min = "100ms", .max = "10m"},

    {.key = "lake.path", .help = "Directory of the lake, relative to this file: bronze/, warehouse/ and catalog.db are made in it",
     .example = "lake", .required = true, .fixed = true},
    {.key = "lake.catalog_name", .fallback = "millrace", .help = "Name of the Iceberg catalog inside catalog.db; readers give it too",
     .fixed = true},

    {.key = "bronze.compression", .type = OptionType::kChoice, .fallback = "zstd",
     .help = "Compression of event files; gzip when tools without zstd read them", .choices = "zstd|gzip|none"},
    {.key = "bronze.compression_level", .type = OptionType::kInt, .fallback = "1", .help = "The codec's own scale; more is smaller and slower",
     .min = "1", .max = "19"},
    {.key = "bronze.commit_interval", .type = OptionType::kDuration, .fallback = "500ms",
     .help = "A commit is made at the first transaction's end this long after its first event; sooner when the source falls silent", .min = "10ms", .max = "10m"},
    {.key = "bronze.commit_bytes", .type = OptionType::kSize, .fallback = "256MiB",
     .help = "Or earlier, when so many bytes of events wait", .min = "64KiB", .max = "4GiB"},
    {.key = "bronze.file_bytes", .type = OptionType::kSize, .fallback = "64MiB",
     .help = "A file is closed at this many bytes of events, before compression", .min = "64KiB", .max = "4GiB"},

    {.key = "silver.interval", .type = OptionType::kDuration, .fallback = "1s", .help = "Least time between the starts of two merges",
     .min = "0", .max = "1d"},
    {.key = "silver.merge_memory", .type = OptionType::kSize, .fallback = "480MiB",
     .help = "Memory that a merge takes, about; a larger backlog is taken in several cuts", .min = "64MiB", .max = "64GiB"},
    {.key = "silver.target_file_bytes", .type = OptionType::kSize, .fallback = "128MiB", .help = "Size that data files are written towards",
     .min = "1MiB", .max = "2GiB"},
    {.key = "silver.keep_unchanged", .type = OptionType::kBool, .fallback = "false",
     .help = "Make a version of an update that changed nothing too"},
    {.key = "silver.retention.snapshots", .type = OptionType::kInt, .fallback = "100", .help = "Newest snapshots to keep of each table",
     .min = "1", .max = "100000"},
    {.key = "silver.retention.hours", .type = OptionType::kInt, .fallback = "168", .help = "Hours for which one snapshot an hour is kept besides",
     .min = "0", .max = "87600"},

    {.key = "gold.sql", .help = "Directory with one .sql file for each Gold table, relative to this file",
     .derived = "none; without it no Gold tables are made"},
    {.key = "gold.interval", .type = OptionType::kDuration, .fallback = "1m", .help = "Least time between the starts of two refreshes",
     .min = "0", .max = "7d"},
    {.key = "gold.memory_limit", .type = OptionType::kSize, .fallback = "512MiB", .help = "Memory of the SQL engine, for Gold and for `query`",
     .min = "64MiB", .max = "1TiB"},
    {.key = "gold.threads", .type = OptionType::kInt, .fallback = "2", .help = "Threads of the SQL engine", .min = "1", .max = "256"},

    {.key = "log.level", .type = OptionType::kChoice, .fallback = "info", .help = "Least severity that is printed",
     .choices = "debug|info|warn|error"},
    {.key = "log.json", .type = OptionType::kBool, .fallback = "false", .help = "One JSON object a line instead of text"},
};

}  // namespace

std::span<const OptionSection> AllSections() { return kSections; }
std::span<const Option> AllOptions() { return kOptions; }

}  // namespace millrace::app
