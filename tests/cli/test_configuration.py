"""init, config and what the binary says about a configuration that is wrong. No database is needed."""

from __future__ import annotations

import os
import subprocess

import pytest

LEAST = "source: {database: shop, user: me}\nlake: {path: lake}\n"


@pytest.fixture
def cli(binary, tmp_path):
    def run(*arguments: str, code: int = 0, environment: dict[str, str] | None = None) -> str:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("MILLRACE")}
        done = subprocess.run([binary, *arguments], cwd=tmp_path, env=clean | (environment or {}), text=True, capture_output=True, timeout=60)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr
    return run


def test_init_writes_a_file_that_loads_and_never_replaces_one(cli, tmp_path):
    assert "wrote millrace.yaml" in cli("init")
    text = (tmp_path / "millrace.yaml").read_text()
    assert "database: shop" in cli("config")
    assert "exists already" in cli("init", code=73)
    assert (tmp_path / "millrace.yaml").read_text() == text
    cli("init", "other.yaml")
    assert (tmp_path / "other.yaml").read_text() == text == cli("init", "-")
    assert "cannot write" in cli("init", "no/such/place.yaml", code=77)


def test_where_the_file_is_looked_for(cli, tmp_path):
    assert "millrace init millrace.yaml" in cli("config", code=66)
    (tmp_path / "a.yaml").write_text(LEAST)
    (tmp_path / "b.yaml").write_text(LEAST.replace("shop", "depot"))
    assert "database: shop" in cli("config", "--config", "a.yaml")
    assert "database: shop" in cli("--config", "a.yaml", "config")
    assert "database: depot" in cli("config", environment={"MILLRACE_CONFIG": "b.yaml"})
    assert "database: shop" in cli("config", "-c", "a.yaml", environment={"MILLRACE_CONFIG": "b.yaml"})


def test_overrides(cli, tmp_path):
    (tmp_path / "millrace.yaml").write_text(LEAST)
    shown = cli("config", "--set", "log.level=warn", "--set", "source.tables.include=public.*, a.b")
    assert "level: warn\n" in shown and "include: [public.*, a.b]" in shown.replace("'", "")
    assert "did you mean log.level" in cli("config", "--set", "log.levle=warn", code=64)


def test_problems_name_line_key_and_cure(cli, tmp_path):
    (tmp_path / "millrace.yaml").write_text("source:\n  databse: shop\n  user: me\n  password: hunter2\n  port: none\nlake: {path: l}\n")
    said = cli("config", code=64)
    assert "millrace.yaml:2: unknown option source.databse; did you mean source.database?" in said
    assert "millrace.yaml:4: source.password: a secret must not stand in the file itself; write ${env:NAME}" in said
    assert "millrace.yaml:5: source.port: 'none' is not a whole number" in said
    assert "hunter2" not in said


def test_secrets_are_shown_as_placeholders(cli, tmp_path):
    (tmp_path / "millrace.yaml").write_text(LEAST.replace("user: me", "user: me, password: '${env:SHOP_PASSWORD}'"))
    shown = cli("config", environment={"SHOP_PASSWORD": "hunter2"})
    assert "password: ${env:SHOP_PASSWORD}\n" in shown and "hunter2" not in shown
    assert "the environment variable SHOP_PASSWORD is not set" in cli("check-source", code=64)


def test_help_of_every_command_is_there_and_short(cli):
    text = cli("--help")
    commands = [line.split()[0] for line in text.split("Subcommands:\n")[1].splitlines() if line.startswith("  ") and line[2] != " "]
    assert commands == ["up", "capture", "bronze", "silver", "gold", "status", "tables", "query", "history", "check-source", "reread", "init",
                        "config", "version"]
    for command in commands:
        page = cli(command, "--help")
        assert len(page.splitlines()) <= 24, command
    assert cli(code=64) == text


def test_usage_errors(cli):
    assert cli("volcano", code=64) == "millrace: there is no command 'volcano'; `millrace --help` lists the commands\n"
    assert "did you mean status?" in cli("-c", "x.yaml", "statsu", code=64)
    assert "SQL is required" in cli("query", code=64)
    assert "yaml" in cli("query", "SELECT 1", "--format", "yaml", code=64)


def test_version(cli):
    assert cli("version").startswith("millrace 0.")


def test_no_lake_yet(cli, tmp_path):
    (tmp_path / "millrace.yaml").write_text(LEAST)
    for command in (["status"], ["tables"], ["query", "SELECT 1"], ["history", "t", "1"], ["bronze", "--once"]):
        assert "there is no lake at" in cli(*command, code=66)
    assert not (tmp_path / "lake").exists()
    assert "gold.sql is not set" in cli("gold", "--once", code=64)
