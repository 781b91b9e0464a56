"""`triptych compare` on results of each tool equals scipy; bad input is told in one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from backends.cli import main
from backends.datatypes import BACKEND_NAMES
from backends.evaluation.archive import Archive
from backends.evaluation.comparison import Board
from backends.evaluation.reports import as_csv, as_json
from backends.evaluation.runner import carry_out, plain_arms, plan
from backends.settings import Settings
from tests.evaluation.other_tools import QUESTIONS, autorag, deepeval, means, promptfoo, ragas, shares
from tests.evaluation.subjects import ScriptedSubject, make_questions


@pytest.fixture(autouse=True)
def workspace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("TRIPTYCH_WORKSPACE", str(tmp_path / "workspace"))
    return tmp_path / "workspace"


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main.app, ["compare", *(str(argument) for argument in arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def compared(*arguments: object) -> tuple[int, list[dict[str, Any]]]:
    status, stdout, stderr = run(*arguments, "--json")
    assert stdout, stderr
    return status, [json.loads(line) for line in stdout.splitlines()]


def paired_rows(made: list[dict[str, Any]], metric: str) -> list[dict[str, Any]]:
    return [row for row in made if "test" in row and row["metric"] == metric]


def equals_scipy(row: dict[str, Any], first: list[float], second: list[float]) -> None:
    """The row's test, values and interval against scipy's for the same numbers."""
    one, other = np.array(first), np.array(second)
    assert row["count"] == len(one)
    assert row["first_value"] == pytest.approx(one.mean())
    assert row["second_value"] == pytest.approx(other.mean())
    if row["test"] == "mcnemar":
        only_first = int(((one == 1) & (other == 0)).sum())
        only_second = int(((one == 0) & (other == 1)).sum())
        assert (row["only_first"], row["only_second"]) == (only_first, only_second)
        discordant = only_first + only_second
        p = stats.binomtest(only_first, discordant, 0.5).pvalue if discordant else 1.0
        assert row["p"] == pytest.approx(p)
    else:
        reference = stats.permutation_test(
            (one, other), lambda a, b, axis: (a - b).mean(axis=axis), permutation_type="samples",
            n_resamples=20_000, rng=np.random.default_rng(5), vectorized=True,
        )  # fmt: skip
        assert row["p"] == pytest.approx(reference.pvalue, abs=0.02)
    interval = stats.bootstrap(
        (one - other,), np.mean, method="percentile", n_resamples=20_000, rng=np.random.default_rng(5)
    ).confidence_interval
    assert row["interval"] == pytest.approx([interval.low, interval.high], abs=0.012)
    spread = (one - other).std(ddof=1)
    least = (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * spread / np.sqrt(len(one))
    floor = 6 / len(one) if row["test"] == "mcnemar" else 0
    assert row["smallest_detectable"] == pytest.approx(max(least, floor))


def test_promptfoo_arms_of_one_file(tmp_path: Path) -> None:
    arms = {"openai:small": (shares(1, 0.4), means(2, 0.5)), "openai:large": (shares(3, 0.8), means(4, 0.6))}
    status, made = compared(promptfoo(tmp_path / "out.json", arms))
    assert status == 0
    (passed,) = paired_rows(made, "passed")
    assert (passed["first"], passed["second"]) == ("openai:large", "openai:small")
    equals_scipy(passed, arms["openai:large"][0], arms["openai:small"][0])
    (tone,) = paired_rows(made, "tone")
    equals_scipy(tone, arms[tone["first"]][1], arms[tone["second"]][1])
    scores = {(row["arm"], row["metric"]): row for row in made if "value" in row}
    wilson = stats.binomtest(int(sum(arms["openai:small"][0])), 40).proportion_ci(method="wilson")
    assert scores["openai:small", "passed"]["interval"] == pytest.approx([wilson.low, wilson.high])
    assert ("openai:small", "score") not in scores  # says the same as passed


def test_promptfoo_errors_are_no_wrong_answers(tmp_path: Path) -> None:
    arms = {"one": (shares(1, 0.5), means(2, 0.5)), "two": (shares(3, 0.5), means(4, 0.6))}
    path = promptfoo(tmp_path / "out.json", arms)
    content = json.loads(path.read_text())
    content["results"]["results"][0] |= {"success": False, "failureReason": 2, "error": "rate limit"}
    path.write_text(json.dumps(content))
    _, made = compared(path)
    assert paired_rows(made, "passed")[0]["count"] == 39
    assert any("one: 1 questions have no score" in note for note in made[-1]["notes"])


def test_ragas_before_and_after(tmp_path: Path) -> None:
    gaps: list[float | None] = [None, *means(6, 0.7)[1:]]
    before = ragas(tmp_path / "before.csv", means(5, 0.6), gaps)
    after = ragas(tmp_path / "after.csv", means(7, 0.75), means(8, 0.7))
    _, made = compared(after, before)
    (faithful,) = paired_rows(made, "faithfulness")
    assert (faithful["first"], faithful["second"]) == ("after", "before")
    equals_scipy(faithful, means(7, 0.75), means(5, 0.6))
    (relevant,) = paired_rows(made, "answer_relevancy")
    ours, theirs = means(8, 0.7)[1:], means(6, 0.7)[1:]
    equals_scipy(relevant, *((ours, theirs) if relevant["first"] == "after" else (theirs, ours)))


def test_ragas_as_pandas_writes_it_to_json(tmp_path: Path) -> None:
    pairs = zip(QUESTIONS, means(5, 0.6), strict=True)
    rows = [{"user_input": q, "response": "x", "faithfulness": v} for q, v in pairs]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    columns = {name: {str(i): row[name] for i, row in enumerate(rows)} for name in rows[0]}
    (tmp_path / "b.json").write_text(json.dumps(columns))
    (tmp_path / "c.jsonl").write_text("\n".join(map(json.dumps, rows)))
    _, made = compared(*(tmp_path / name for name in ("a.json", "b.json", "c.jsonl")))
    assert [row["p"] for row in made if "test" in row] == [1.0, 1.0, 1.0]
    assert all("show no difference" in row["sentence"] for row in made if "test" in row)


def test_deepeval_tells_by_its_thresholds_which_way_is_better(tmp_path: Path) -> None:
    one = deepeval(tmp_path / "a.json", "small", means(1, 0.5), means(2, 0.6))
    other = deepeval(tmp_path / "b.json", "large", means(3, 0.7), means(4, 0.3))
    _, made = compared(one, other)
    (relevancy,) = paired_rows(made, "Answer Relevancy")
    assert (relevancy["first"], relevancy["second"]) == ("large", "small")
    equals_scipy(relevancy, means(3, 0.7), means(1, 0.5))
    (harm,) = paired_rows(made, "Harm [GEval]")
    assert (harm["first"], harm["difference"] < 0) == ("large", True)  # less harm is better
    equals_scipy(harm, means(4, 0.3), means(2, 0.6))
    ways = [row["higher_is_better"] for row in made if "arm" in row and row["metric"] == "Harm [GEval]"]
    assert ways == [False, False]
    (passed,) = paired_rows(made, "passed")
    assert passed["test"] == "mcnemar"


def test_autorag_node_folder_and_its_files(tmp_path: Path) -> None:
    node = autorag(tmp_path / "generator", {"llama_index_llm": means(1, 0.4), "vllm": means(2, 0.42)})
    _, made = compared(node)
    (rouge,) = paired_rows(made, "rouge")
    assert {rouge["first"], rouge["second"]} == {"0, llama_index_llm", "1, vllm"}
    scores = {"0, llama_index_llm": means(1, 0.4), "1, vllm": means(2, 0.42)}
    equals_scipy(rouge, scores[rouge["first"]], scores[rouge["second"]])
    assert any("rows of the same number" in note for note in made[-1]["notes"])
    _, files = compared(node / "0.parquet", node / "1.parquet")
    assert paired_rows(files, "rouge")[0]["p"] == rouge["p"]


def test_csv_with_a_column_for_the_arm_or_one_for_each(tmp_path: Path) -> None:
    one, other = shares(1, 0.3), shares(2, 0.7)
    pairs = list(enumerate(zip(one, other, strict=True)))
    words = {1.0: "yes", 0.0: "no"}
    tall = ["id;model;right", *(f"q{i};a;{words[a]}\nq{i};b;{words[b]}" for i, (a, b) in pairs)]
    wide = ["id,a,b", *(f"q{i},{a:g},{b:g}" for i, (a, b) in pairs)]
    (tmp_path / "tall.csv").write_text("\n".join(tall))
    (tmp_path / "wide.csv").write_text("\n".join(wide))
    _, made = compared(tmp_path / "tall.csv")
    equals_scipy(paired_rows(made, "right")[0], other, one)
    _, made = compared(tmp_path / "wide.csv", "--arms-in-columns")
    equals_scipy(paired_rows(made, "score")[0], other, one)


def test_own_runs_stored_as_json_and_as_csv_agree_with_evaluate(workspace: Path, tmp_path: Path) -> None:
    subject, settings = ScriptedSubject(), Settings(top_k=4)
    planned = plan(subject, make_questions(40), plain_arms(BACKEND_NAMES, settings), question_set="test")
    archive = Archive(workspace)
    board = Board(carry_out(archive, archive.begin(planned), subject))
    (tmp_path / "run.json").write_text(as_json(board), encoding="utf-8")
    (tmp_path / "run.csv").write_text(as_csv(board), encoding="utf-8")
    ours = {frozenset((d.first, d.second)): d.p for d in board.differences if d.measure == "right"}
    for given in ("latest", tmp_path / "run.json", tmp_path / "run.csv"):
        _, made = compared(given)
        theirs = {frozenset((t["first"], t["second"])): t["p"] for t in paired_rows(made, "right")}
        assert theirs == pytest.approx(ours)
    assert "total_ms" not in {row.get("metric") for row in made}


def test_a_drop_against_the_baseline_fails_the_check(tmp_path: Path) -> None:
    good, bad = [1.0] * 40, [0.0] * 20 + [1.0] * 20
    before = promptfoo(tmp_path / "before.json", {"m": (good, means(1, 0.5)), "n": (good, means(2, 0.5))})
    after = promptfoo(tmp_path / "after.json", {"m": (bad, means(1, 0.5)), "n": (good, means(2, 0.5))})
    junit, page = tmp_path / "junit.xml", tmp_path / "page.html"
    status, made = compared(after, before, "--baseline", before, "--junit", junit, "--report", page)
    assert status == 1
    assert len(made[-1]["regressions"]) == 1
    assert "after.json: m is worse than before.json: m on “Passed”" in made[-1]["regressions"][0]
    suite = ElementTree.fromstring(junit.read_text())[0]
    assert (suite.get("tests"), suite.get("failures")) == ("4", "1")
    assert "after.json: m" in page.read_text()
    assert compared(after, before)[0] == 0  # without a baseline nothing is to be held


def test_few_questions_say_how_many_would_be_needed(tmp_path: Path) -> None:
    arms = {"a": (shares(1, 0.5), means(2, 0.50)), "b": (shares(2, 0.55), means(9, 0.52))}
    _, made = compared(promptfoo(tmp_path / "out.json", arms), "--metric", "tone")
    (row,) = [r for r in made if "test" in r]
    assert not row["significant"]
    assert f"would take about {row['questions_needed']:,} questions" in row["sentence"]
    gaps = np.array(arms["a"][1]) - np.array(arms["b"][1])
    z = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    assert row["questions_needed"] == int(np.ceil((z * gaps.std(ddof=1) / abs(gaps.mean())) ** 2))


def test_lower_is_better_can_be_said(tmp_path: Path) -> None:
    arms = {"a": (shares(1, 0.5), means(2, 0.3)), "b": (shares(2, 0.55), means(9, 0.7))}
    path = promptfoo(tmp_path / "out.json", arms)
    _, made = compared(path, "--metric", "tone", "--lower-is-better", "TONE")
    assert [row["first"] for row in made if "test" in row] == ["a"]


def test_pages_show_text_of_results_as_text(tmp_path: Path) -> None:
    arms = {"<script>x</script>": (shares(1, 0.5), means(2, 0.3)), "b\x01": (shares(2, 0.5), means(9, 0.7))}
    page, junit = tmp_path / "page.html", tmp_path / "junit.xml"
    run(promptfoo(tmp_path / "out.json", arms), "--report", page, "--junit", junit)
    assert "<script>" not in page.read_text()
    ElementTree.fromstring(junit.read_text())


BAD: list[tuple[str, str, str]] = [
    ("a.json", "[1, 2", "is not valid JSON"),
    ("a.json", '{"text": "nothing of the kind"}', "is no result that is known here"),
    ("a.json", "[" * 100_000, "cannot be read|nested too deeply|is not valid JSON"),
    ("a.csv", "question,answer\nWhy?,Because\n", "holds no score of any question"),
    ("a.csv", "question,score\nWhy?,1,2,3\n", "more cells than the head line"),
    ("a.csv", "", "holds no score"),
    ("a.csv", "question,score\nWhy?,1\n", "There is one arm only"),
    ("a.parquet", "PAR1 but no", "is no parquet file"),
    ("a.xlsx", "", "results come as"),
]


@pytest.mark.parametrize(("name", "content", "said"), BAD)
def test_bad_files_are_told_in_a_sentence(tmp_path: Path, name: str, content: str, said: str) -> None:
    import re

    (tmp_path / name).write_text(content)
    status, stdout, stderr = run(tmp_path / name)
    assert (status, stdout) == (2, "")
    assert re.search(said, stderr), stderr


def test_what_cannot_be_matched_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("question,score\nWhy?,1\nWho?,0\n")
    (tmp_path / "b.csv").write_text("question,score\nWhere?,1\nWhen?,0\n")
    (tmp_path / "c.csv").write_text("score\n1\n0\n0\n")
    (tmp_path / "d.csv").write_text("score\n1\n0\n")
    assert "share no question" in run(tmp_path / "a.csv", tmp_path / "b.csv")[2]
    assert "name their questions differently" in run(tmp_path / "a.csv", tmp_path / "c.csv")[2]
    assert "different numbers of rows" in run(tmp_path / "c.csv", tmp_path / "d.csv")[2]
    assert "given twice" in run(tmp_path / "a.csv", tmp_path / "a.csv")[2]
    assert "no evaluation run" in run(tmp_path / "a.csv", "nothing")[2]
    assert "no arm or file" in run(tmp_path / "a.csv", tmp_path / "b.csv", "--baseline", "x")[2]
    assert "has the measure" in run(tmp_path / "a.csv", tmp_path / "b.csv", "--metric", "x")[2]
