"""`starwell plan`: mistakes with their lines, or when the night ends and what it needs."""

from __future__ import annotations

import io
import json

import pytest

from starwell.cli.main import main

PLAN = """camera = "simulated"

[[target]]
name = "M 51"

[[target.series]]
exposure = 60
count = 20
"""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("STARWELL_HOME", str(tmp_path))


@pytest.fixture
def plan(tmp_path):
    file = tmp_path / "m51.toml"
    file.write_text(PLAN)
    return file


def test_a_plan_without_mistakes_says_when_it_ends_and_what_it_needs(plan, capsys):
    assert main(["plan", str(plan), "--size", "3008x3008"]) == 0
    out = capsys.readouterr().out
    assert "The lights end at" in out
    assert "It needs 0.4 GB." in out  # 20 frames of 18.1 MB


def test_mistakes_come_with_line_and_key(plan, capsys):
    plan.write_text(PLAN.replace("60", '"long"').replace("20", "-1"))
    assert main(["plan", str(plan), "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert [(m["line"], m["key"]) for m in told["mistakes"]] == [
        (7, "target[1].series[1].exposure"),
        (8, "target[1].series[1].count"),
    ]
    assert told["outlook"] == []


def test_a_plan_is_read_from_stdin(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO(PLAN))
    assert main(["plan", "-", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mistakes"] == []


def test_dawn_wants_a_site(plan, capsys):
    plan.write_text(f'ends = ["dawn"]\n{PLAN}')
    assert main(["plan", str(plan)]) == 2
    assert "needs a [site]" in capsys.readouterr().out


def test_a_plan_that_is_not_there_is_a_sentence(tmp_path, capsys):
    assert main(["plan", str(tmp_path / "none.toml")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_a_size_that_is_none_is_a_wrong_call(plan, capsys):
    with pytest.raises(SystemExit):
        main(["plan", str(plan), "--size", "large"])
    assert "3008x3008" in capsys.readouterr().err
