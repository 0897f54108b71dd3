#include "app/command_line.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "app/invocation.h"
#include "base/format.h"
#include "base/options.h"

namespace millrace::app {
namespace {

constexpr int kUsageExit = 64;  // EX_USAGE

// A command under construction: its CLI11 part, and what to run when it was the one.
struct Parsed {
  CLI::App* app;
  Command run;
};

class Parser {
 public:
  Parser()
      : app_("Carries every change of a PostgreSQL database into an Apache Iceberg lakehouse.",
             "millrace") {
    app_.require_subcommand(1);
    app_.get_formatter()->column_width(36);
    app_.failure_message(CLI::FailureMessage::simple);
    if (const char* file = std::getenv("MILLRACE_CONFIG"); file != nullptr && *file != '\0')
      invocation_.config_file = file;
    AddConfig(app_);

    Add("up", "Run everything: capture, Bronze, Silver and Gold, until stopped", RunUp, kConfig);
    Once(Add("capture", "Run capture and Bronze alone", RunCapture, kConfig),
         "Stop when all changes made before the start are in Bronze");
    Once(Add("bronze",
             "Check every commit and file of Bronze, and remove what killed writers left "
             "(`capture` is what fills it)",
             RunBronze, kConfig),
         "Accepted for likeness with the other stages: it always runs once");
    CLI::App* silver =
        Add("silver", "Run the merge from Bronze into Silver alone", RunSilver, kConfig);
    Once(silver, "Stop when everything that is in Bronze is merged");
    silver
        ->add_option("--resume", invocation_.resume,
                     "Let this table, which is held back (see `millrace status`), catch up first")
        ->type_name("TABLE");
    Once(Add("gold", "Run the refresh of Gold alone", RunGold, kConfig), "Refresh once and stop");

    Json(Add("status", "Show how far each stage and table is", RunStatus, kConfig));
    Json(Add("tables", "List the tables of Silver and Gold", RunTables, kConfig));
    CLI::App* query =
        Add("query", "Run SQL over the tables of the newest consistent cut", RunQuery, kConfig);
    query
        ->add_option("SQL", invocation_.sql,
                     "One SELECT; tables are silver.<table> and gold.<table>")
        ->required();
    query
        ->add_option("--format", invocation_.format,
                     "table (default), csv or json (an object a line)")
        ->transform(CLI::CheckedTransformer(
                        std::map<std::string, OutputFormat>{{"table", OutputFormat::kTable},
                                                            {"csv", OutputFormat::kCsv},
                                                            {"json", OutputFormat::kJson}})
                        .description(""))
        ->type_name("FORMAT");
    CLI::App* history =
        Json(Add("history", "Show all versions of one row, oldest first", RunHistory, kConfig));
    history
        ->add_option("TABLE", invocation_.table,
                     "Source table (public.orders) or Silver table (silver.orders)")
        ->required();
    history
        ->add_option("KEY", invocation_.key,
                     "Key of the row: a value, values in the key's order (1,2), or names (a=1,b=2)")
        ->required();

    Add("check-source", "Check whether the database is ready to be captured", RunCheckSource,
        kConfig)
        ->add_flag("--fix", invocation_.fix,
                   "Do what can be done about what is missing, and say what was done");
    Add("reread",
        "Have all rows of tables read again: repairs what Silver holds of them, whatever it missed",
        RunReread, kConfig)
        ->add_option("TABLE", invocation_.tables, "Source tables, as schema.table")
        ->required();
    Add("init", "Write a commented configuration file to start from", RunInit, kNoConfig)
        ->add_option("PATH", invocation_.path, "Where to write it; - for standard output")
        ->default_val("millrace.yaml");
    Add("config", "Print the configuration in effect, secrets as placeholders", RunConfig, kConfig)
        ->add_flag("--reference", invocation_.reference,
                   "Print the reference of all options as Markdown instead");
    Add("version", "Print the version", RunVersion, kNoConfig);
    // Last, or every command would inherit it.
    app_.footer(
        "Start with `millrace init`. `millrace COMMAND --help` tells more about one command.");
  }

  int Run(int argc, char** argv) {
    if (argc < 2) {
      fmt::print(stderr, "{}", app_.help());
      return kUsageExit;
    }
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
      if (app_.get_subcommands().empty() && !app_.remaining().empty())
        return UnknownCommand(app_.remaining().front());
      return app_.exit(e) == 0 ? 0 : kUsageExit;
    }
    for (const Parsed& command : commands_) {
      if (!command.app->parsed()) continue;
      const Status status = command.run(invocation_);
      if (status.ok()) return 0;
      fmt::print(stderr, "millrace {}: {}\n", command.app->get_name(), status.error().message());
      return PolicyOf(status.error().kind()).exit_code;
    }
    return kUsageExit;
  }

 private:
  enum ConfigUse { kConfig, kNoConfig };

  CLI::App* Add(const std::string& name, const std::string& help, Command run, ConfigUse use) {
    CLI::App* command = app_.add_subcommand(name, help);
    commands_.push_back({command, run});
    if (use == kConfig) AddConfig(*command);
    return command;
  }
  void Once(CLI::App* command, const std::string& help) {
    command->add_flag("--once", invocation_.once, help);
  }
  CLI::App* Json(CLI::App* command) {
    command->add_flag("--json", invocation_.json, "Print JSON instead of text");
    return command;
  }

  int UnknownCommand(const std::string& name) {
    const auto closer = [&](const Parsed& a, const Parsed& b) {
      return EditDistance(a.app->get_name(), name) < EditDistance(b.app->get_name(), name);
    };
    const std::string near =
        std::min_element(commands_.begin(), commands_.end(), closer)->app->get_name();
    const std::string hint = EditDistance(near, name) <= 2 ? "did you mean " + near + "?"
                                                           : "`millrace --help` lists the commands";
    fmt::print(stderr, "millrace: there is no command '{}'; {}\n", name, hint);
    return kUsageExit;
  }

  // Taken before and after the command's name.
  void AddConfig(CLI::App& app) {
    app.add_option("-c,--config", invocation_.config_file,
                   "Configuration file (default: $MILLRACE_CONFIG, else millrace.yaml)")
        ->type_name("FILE");
    app.add_option("--set", invocation_.overrides,
                   "Override one option for this run; may be repeated")
        ->type_name("KEY=VALUE")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }

  CLI::App app_;
  std::vector<Parsed> commands_;
  Invocation invocation_;
};

}  // namespace

int Main(int argc, char** argv) {
  Parser parser;
  return parser.Run(argc, argv);
}

}  // namespace millrace::app
