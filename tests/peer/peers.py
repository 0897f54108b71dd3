"""The real Kafka broker (KRaft) and Kafka Connect with the real Debezium, as `make peer` brings them: on free ports of 127.0.0.1, in a
temporary directory, stopped by the process that started them."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from harness.postgres import Database, free_port, wait_until

HOME = pathlib.Path(os.environ.get("MILLRACE_PEERS", pathlib.Path.home() / ".cache/millrace/peers"))
sys.path.append(str(HOME / "venv"))

LOGGING = """<Configuration status="WARN"><Appenders><Console name="C"><PatternLayout pattern="[%d] %p %m (%c{2})%n"/></Console></Appenders>
<Loggers><Root level="INFO"><AppenderRef ref="C"/></Root></Loggers></Configuration>
"""


class Java:
    """One JVM over the jars of Kafka."""

    def __init__(self, home: pathlib.Path, name: str, heap: str, *arguments: object):
        self.log_file = home / f"{name}.log"
        (home / "log4j2.xml").write_text(LOGGING)
        self.process = subprocess.Popen(_java(home, heap, *arguments), stdin=subprocess.DEVNULL, stdout=self.log_file.open("w"),
                                        stderr=subprocess.STDOUT, start_new_session=True)

    def stop(self) -> None:
        if self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()


def _java(home: pathlib.Path, heap: str, *arguments: object) -> list[str]:
    return ["java", f"-Xmx{heap}", "-cp", f"{HOME / 'kafka'}/*", f"-Dlog4j2.configurationFile={home / 'log4j2.xml'}", *map(str, arguments)]


class Broker:
    """A single broker that is its own controller."""

    def __init__(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="millrace-kafka-"))
        self.port, controller = free_port(), free_port()
        settings = {
            "process.roles": "broker,controller", "node.id": 1, "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}", "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT", "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": self.home / "data", "offsets.topic.replication.factor": 1, "offsets.topic.num.partitions": 1,
            "transaction.state.log.replication.factor": 1, "transaction.state.log.min.isr": 1,
            "share.coordinator.state.topic.replication.factor": 1, "share.coordinator.state.topic.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0, "message.max.bytes": 20 << 20,
        }
        properties = self.home / "server.properties"
        properties.write_text(_properties(settings))
        (self.home / "log4j2.xml").write_text(LOGGING)
        subprocess.run(_java(self.home, "256M", "kafka.tools.StorageTool", "format", "-t", "4L6g3nShT-eMCtK--X86sw", "-c", properties),
                       check=True, capture_output=True)
        self.java = Java(self.home, "broker", "1G", "kafka.Kafka", properties)
        wait_until(lambda: self.java.process.poll() is not None or _listening(self.port), 60, "the broker does not listen")
        assert self.java.process.poll() is None, self.java.log_file.read_text()[-2000:]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def topics(self, prefix: str) -> dict[str, int]:
        """Topics under a prefix and how many records their one partition has."""
        from confluent_kafka import Consumer, TopicPartition
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "peers", "enable.auto.commit": False})
        try:
            names = [t for t in consumer.list_topics(timeout=10).topics if t.startswith(prefix)]
            return {t: consumer.get_watermark_offsets(TopicPartition(t, 0), timeout=10, cached=False)[1] for t in names}
        finally:
            consumer.close()

    def read(self, topic: str) -> list[dict]:
        """All records of a topic: key and value as the bytes that are there, headers as pairs."""
        from confluent_kafka import Consumer, TopicPartition
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "peers", "enable.auto.commit": False,
                             "fetch.message.max.bytes": 20 << 20})
        try:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)
            consumer.assign([TopicPartition(topic, 0, low)])
            records: list[dict] = []
            end = time.monotonic() + 60
            while len(records) < high - low:
                assert time.monotonic() < end, f"{topic}: {len(records)} of {high - low} records"
                for message in consumer.consume(500, 1):
                    assert message.error() is None, message.error()
                    records.append({"offset": message.offset(), "key": _text(message.key()), "value": _text(message.value()),
                                    "headers": [[k, _text(v)] for k, v in message.headers() or []]})
            return records
        finally:
            consumer.close()

    def destroy(self) -> None:
        self.java.stop()
        shutil.rmtree(self.home, ignore_errors=True)


class Connect:
    """A Kafka Connect worker with Debezium's plugin."""

    def __init__(self, broker: Broker):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="millrace-connect-"))
        self.port = free_port()
        converter = "org.apache.kafka.connect.json.JsonConverter"
        settings = {
            "bootstrap.servers": broker.address, "group.id": "peers", "key.converter": converter, "value.converter": converter,
            "key.converter.schemas.enable": "false", "value.converter.schemas.enable": "false", "offset.flush.interval.ms": 1000,
            "listeners": f"http://127.0.0.1:{self.port}", "rest.advertised.host.name": "127.0.0.1", "plugin.path": HOME / "plugins",
            "connector.client.config.override.policy": "All",
        }
        for what in ("offset", "config", "status"):
            settings |= {f"{what}.storage.topic": f"connect-{what}s", f"{what}.storage.replication.factor": 1}
            if what != "config":
                settings[f"{what}.storage.partitions"] = 1
        properties = self.home / "connect.properties"
        properties.write_text(_properties(settings))
        self.java = Java(self.home, "connect", "2G", "org.apache.kafka.connect.cli.ConnectDistributed", properties)

        def answers() -> bool:
            try:
                return self.java.process.poll() is not None or self.request("GET", "/connectors")[0] == 200
            except OSError:
                return False
        wait_until(answers, 120, "Kafka Connect does not answer")
        assert self.java.process.poll() is None, self.java.log_file.read_text()[-2000:]

    def request(self, method: str, path: str, body: dict | None = None) -> tuple[int, object]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method, data=data,
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    def start(self, name: str, config: dict[str, str]) -> None:
        """A connector, until its task runs."""
        status, answer = self.request("PUT", f"/connectors/{name}/config", config)
        assert status in (200, 201), answer

        def runs() -> bool:
            status, answer = self.request("GET", f"/connectors/{name}/status")
            tasks = answer["tasks"] if status == 200 else []
            assert not any(t["state"] == "FAILED" for t in tasks), tasks
            return bool(tasks) and tasks[0]["state"] == "RUNNING"
        wait_until(runs, 60, f"connector {name} does not run")

    def delete(self, name: str) -> None:
        self.request("DELETE", f"/connectors/{name}")

    def destroy(self) -> None:
        self.java.stop()
        shutil.rmtree(self.home, ignore_errors=True)


def debezium(database: Database, prefix: str, tables: str) -> dict[str, str]:
    """Debezium's configuration for a database, every mode at its default."""
    return {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector", "tasks.max": "1", "plugin.name": "pgoutput",
        "database.hostname": "127.0.0.1", "database.port": str(database.cluster.port), "database.user": database.cluster.user,
        "database.password": database.cluster.password, "database.dbname": database.name, "topic.prefix": prefix, "slot.name": prefix,
        "publication.name": f"{prefix}_publication", "publication.autocreate.mode": "filtered", "table.include.list": tables,
    }


def _properties(settings: dict[str, object]) -> str:
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode()


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
