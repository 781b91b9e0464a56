"""`triptych evaluate`: rows, the stored run, exit statuses, resumption, reports. The subject is scripted."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from backends.cli import evaluate_verb, main
from backends.evaluation import ragas_judge
from backends.evaluation.archive import Archive
from backends.evaluation.judging import JUDGED, Endpoint
from backends.offline import subject as subject_module
from backends.settings import Settings
from tests.evaluation.judges import ScriptedJudge
from tests.evaluation.subjects import ScriptedSubject, make_questions


@pytest.fixture
def subject(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ScriptedSubject:
    scripted = ScriptedSubject()
    monkeypatch.setenv("TRIPTYCH_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setattr(evaluate_verb, "open_subject", lambda workspace, *_: (scripted, Archive(workspace)))
    return scripted


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "questions.jsonl"
    lines = [
        {"id": q.id, "question": q.question, "answers": q.answers, "documents": q.documents,
         "category": q.category} for q in make_questions(40)
    ]  # fmt: skip
    path.write_text("\n".join(map(json.dumps, lines)) + "\n")
    return path


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main.app, ["evaluate", *(str(argument) for argument in arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def evaluated(questions: Path, *arguments: object) -> tuple[int, list[dict[str, Any]]]:
    status, stdout, _ = run("--questions", questions, "--json", *arguments)
    return status, [json.loads(line) for line in stdout.splitlines()]


def test_rows_hold_scores_tests_and_last_the_run(subject: ScriptedSubject, questions: Path) -> None:
    status, made = evaluated(questions)
    assert status == 0
    right = {
        r["backend"]: r
        for r in made
        if r.get("metric") == "right" and r.get("category") is None and "arm" in r
    }
    assert set(right) == {"rag", "fine_tuned", "hybrid", "base"}
    assert all(r["interval"][0] <= r["value"] <= r["interval"][1] for r in right.values())
    assert {r["test"] for r in made if "test" in r} == {"mcnemar", "permutation"}
    assert made[-1]["answers"] == 160
    assert Archive(Path(questions).parent / "workspace").find(made[-1]["run"]).complete


def test_an_unchanged_product_passes_its_baseline(subject: ScriptedSubject, questions: Path) -> None:
    _, first = evaluated(questions)
    status, second = evaluated(questions, "--baseline", first[-1]["run"])
    assert status == 0
    assert second[-1]["baseline"] == first[-1]["run"] != second[-1]["run"]
    assert second[-1]["regressions"] == []


def test_a_planted_regression_exits_1_and_says_so(
    subject: ScriptedSubject, questions: Path, tmp_path: Path
) -> None:
    evaluated(questions, "--name", "good")
    junit = tmp_path / "junit.xml"
    status, made = evaluated(questions, "--baseline", "good", "--top-k", 1, "--junit", junit)
    assert status == 1
    assert any("Recall at k" in sentence for sentence in made[-1]["regressions"])
    suite = ElementTree.parse(junit).getroot().find("testsuite")
    assert suite is not None
    assert int(suite.attrib["failures"]) == len(made[-1]["regressions"])
    status, stdout, _ = run("--questions", questions, "--baseline", "good", "--top-k", 1)
    assert status == 1
    assert stdout.index("Against the baseline") < stdout.index("Answered right")


def test_a_baseline_may_be_a_file(subject: ScriptedSubject, questions: Path, tmp_path: Path) -> None:
    report = tmp_path / "good.json"
    evaluated(questions, "--report", report, "--report", tmp_path / "good.html")
    assert "Every answer" in (tmp_path / "good.html").read_text()
    status, made = evaluated(questions, "--baseline", report, "--workspace", tmp_path / "elsewhere")
    assert (status, made[-1]["regressions"]) == (0, [])


def test_a_backend_that_fails_exits_1_and_leaves_the_others(
    subject: ScriptedSubject, questions: Path
) -> None:
    subject.broken = "hybrid"
    status, made = evaluated(questions)
    assert status == 1
    assert made[-1]["failed"] == 40
    assert {r["backend"] for r in made if "backend" in r} == {"rag", "fine_tuned", "base"}


def test_an_interrupted_run_goes_on_with_the_same_command(subject: ScriptedSubject, questions: Path) -> None:
    def interrupt(question: str, backend: str) -> None:
        if question == "q020":
            raise KeyboardInterrupt

    subject.before = interrupt
    status, _, stderr = run("--questions", questions, "--json")
    assert status == 130
    assert "80 of 160 answers of run" in stderr
    subject.before = lambda question, backend: None
    status, stdout, stderr = run("--questions", questions, "--json")
    assert (status, "80 of 160 answers are there" in stderr) == (0, True)
    assert json.loads(stdout.splitlines()[-1])["answers"] == 160


def test_a_sweep_makes_one_arm_a_point(subject: ScriptedSubject, questions: Path) -> None:
    sweeps = ("--sweep", "top_k=1,4", "--sweep", "chunk-size=64,128", "--backend", "rag", "--limit", 10)
    status, made = evaluated(questions, *sweeps)
    assert status == 0
    arms = {row["arm"] for row in made if "arm" in row}
    assert arms == {f"rag, top k {k}, chunk size {size}" for k in (1, 4) for size in (64, 128)}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--sweep", "speed=1,2"], "--sweep takes a setting"),
        (["--sweep", "top_k=0"], "top k"),
        (["--report", "report.pdf"], "a report ends in .html, .md, .csv or .json"),
        (["--junit", "nowhere/x.xml"], "There is no folder"),
        (["--baseline", "nope"], "no evaluation run 'nope'"),
        (["--baseline", "missing.json"], "missing.json is no evaluation report"),
        (["--backend", "magic"], "no backend 'magic'"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(
    subject: ScriptedSubject, questions: Path, arguments: list[str], sentence: str
) -> None:
    status, stdout, stderr = run("--questions", questions, *arguments)
    assert (status, stdout) == (2, "")
    assert sentence in " ".join(stderr.split())
    assert subject.asked == []


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Endpoint:
    monkeypatch.setenv("TRIPTYCH_JUDGE_URL", "http://localhost:1/v1")
    monkeypatch.setenv("TRIPTYCH_JUDGE_MODEL", "judge-7b")
    monkeypatch.setattr(ragas_judge, "check_installed", lambda: None)
    return Endpoint("http://localhost:1/v1", "judge-7b")


def use(monkeypatch: pytest.MonkeyPatch, judge: ScriptedJudge) -> None:
    monkeypatch.setattr(subject_module, "configured_judge", lambda: nullcontext(judge))


def test_a_judge_model_stands_beside_the_offline_figures(
    subject: ScriptedSubject, questions: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, ScriptedJudge())
    status, made = evaluated(questions, "--ragas", "--limit", 10)
    judged = [row for row in made if row.get("judge") == endpoint.model]
    assert (status, {row["value"] for row in judged}) == (0, {0.25})
    assert {row["metric"] for row in judged} == {f"ragas_{key}" for key in JUDGED}
    _, stdout, _ = run("--questions", questions, "--ragas", "--limit", 10)
    assert "RAGAS 0 with the judge model judge-7b" in stdout


def test_a_judge_that_does_not_answer_leaves_the_run_and_exits_1(
    subject: ScriptedSubject, questions: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, ScriptedJudge(gone="How long is term 0?"))
    status, stdout, stderr = run("--questions", questions, "--json", "--ragas", "--limit", 10)
    assert (status, json.loads(stdout.splitlines()[-1])["answers"]) == (1, 40)
    assert "The judge model judge-7b does not answer." in stderr


def test_no_judge_model_is_said_before_anything_is_asked(
    subject: ScriptedSubject, questions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRIPTYCH_JUDGE_URL", raising=False)
    monkeypatch.delenv("TRIPTYCH_JUDGE_MODEL", raising=False)
    status, _, stderr = run("--questions", questions, "--ragas")
    assert (status, subject.asked) == (2, [])
    assert "Set TRIPTYCH_JUDGE_URL to an OpenAI-compatible address" in " ".join(stderr.split())


def test_every_setting_of_an_answer_is_an_option(subject: ScriptedSubject, questions: Path) -> None:
    options = ("--chunking", "sections", "--multi-step", "--no-rerank", "--temperature", 0.5, "--top-k", 3)
    _, made = evaluated(questions, "--backend", "rag", "--limit", 2, *options)
    (arm,) = Archive(questions.parent / "workspace").find(made[-1]["run"]).arms
    given = {"chunking": "sections", "multi_step": True, "rerank": False, "temperature": 0.5, "top_k": 3}
    assert arm.settings == Settings(**given).model_dump(mode="json")  # type: ignore[arg-type]


def test_the_sample_questions_come_along() -> None:
    assert len(evaluate_verb.questions_of("sample-test")) == 152
    assert len(evaluate_verb.questions_of("sample-dev")) == 150


def test_questions_may_be_a_csv(subject: ScriptedSubject, tmp_path: Path) -> None:
    path = tmp_path / "questions.csv"
    path.write_text(
        'id;question;answers;documents\na;"How long; is term 1?";1 days|one day;d1.md | d2.md\nb;Who?;;\n'
    )
    (first, second) = evaluate_verb.questions_of(str(path))
    assert first.question == "How long; is term 1?"
    assert (first.answers, first.documents) == (("1 days", "one day"), ("d1.md", "d2.md"))
    assert second.answers == ()
