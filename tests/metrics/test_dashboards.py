"""Dashboard and alert rules: valid by Prometheus's own tool, and about metrics that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.metrics.parts import Measured, promtool
from tests.mosquitto import free_port
from tests.sounds import quiet, write_wav

DOCS = Path(__file__).parents[2] / "docs"
ALERTS, ALERTS_TEST = DOCS / "prometheus" / "alerts.yml", DOCS / "prometheus" / "alerts_test.yml"
DASHBOARD = json.loads((DOCS / "grafana" / "aed-daemon.json").read_text(encoding="utf-8"))
NAME = re.compile(r"\baed_[a-z_]+\b")


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """What the daemon exposes: label names by the name of the sample."""
    path = write_wav(tmp_path_factory.mktemp("exposed") / "sound.wav", quiet(2.0, -60.0))
    source = {"type": "file", "name": "porch", "path": path, "realtime": False}
    run = Measured({"source": [source], "mqtt": {"enabled": True, "host": "127.0.0.1", "port": free_port()}})
    with run:
        run.join()
    families = [family for family in run.metrics.registry.collect() for _ in family.samples]
    return {sample.name: set(sample.labels) for family in families for sample in family.samples}


def rules() -> list[dict[str, str]]:
    document = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def expressions() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def test_the_rules_are_valid_and_fire_when_they_should() -> None:
    promtool("check", "rules", ALERTS)
    promtool("test", "rules", ALERTS_TEST.name, folder=ALERTS_TEST.parent)
    promtool("check", "config", DOCS / "prometheus" / "scrape.yml")


def test_every_alert_is_proven_to_fire_and_to_keep_quiet() -> None:
    cases = yaml.safe_load(ALERTS_TEST.read_text(encoding="utf-8"))["tests"]
    checks = [check for case in cases for check in case["alert_rule_test"]]
    alerts = {rule["alert"] for rule in rules() if "alert" in rule}
    assert {check["alertname"] for check in checks if check.get("exp_alerts")} == alerts
    assert {check["alertname"] for check in checks if not check.get("exp_alerts")} == alerts


def test_rules_and_dashboard_are_about_metrics_that_there_are(exposed: dict[str, set[str]]) -> None:
    asked = [rule["expr"] for rule in rules()] + expressions()
    named = {name for expression in asked for name in NAME.findall(expression)}
    assert len(named) > 20
    assert named <= exposed.keys()


def test_every_metric_is_described(exposed: dict[str, set[str]]) -> None:
    page = (DOCS / "metrics.md").read_text(encoding="utf-8")
    families = {re.sub(r"(_bucket|(?<=_seconds)_count|(?<=_seconds)_sum)$", "", name) for name in exposed}
    assert {name for name in families if f"`{name}" not in page} == set()
    assert set(NAME.findall(page)) <= families


def test_every_query_of_the_dashboard_can_be_parsed(tmp_path: Path) -> None:
    found = [
        {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, expression in enumerate(expressions())
    ]
    assert len(found) > 20
    rules = tmp_path / "rules.yml"
    rules.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": found}]}))
    promtool("check", "rules", rules)


def test_the_dashboard_is_whole() -> None:
    panels: list[dict[str, Any]] = DASHBOARD["panels"]
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, f"{panel['title']} lies over another panel"
        taken |= cells
        assert panel["datasource"]["uid"] == "${datasource}", "it is bound to nobody's Prometheus"
    used = {name for text in expressions() for name in re.findall(r"\$(\w+)", text)} - {"__rate_interval"}
    assert used <= variables
