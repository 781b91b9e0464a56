"""`triptych train` and `triptych adapters` on a tiny model: rows, exit statuses, what is active then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from backends.cli import main, opener
from backends.training.adapters import read_card
from backends.training.row_export import FORMS
from tests.fakes import HashingEmbedder
from tests.pages.tuning_services import make_triptych


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def tiny(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*_: object) -> Any:
        return make_triptych(home)

    monkeypatch.setattr(opener, "open_triptych", opened)


def run(home: Path, *arguments: object) -> tuple[int, str, str]:
    given = [str(argument) for argument in arguments]
    result = CliRunner().invoke(main.app, [*given, "--workspace", str(home / "workspace")])
    return result.exit_code, result.stdout, result.stderr


def rows_file(path: Path, count: int) -> Path:
    rows = [
        {"question": f"What does lamp {n} cost?", "answer": f"{n} EUR.", "documents": ["prices.csv"]}
        for n in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_train_prints_one_row_and_the_adapters_can_be_looked_after(home: Path, tmp_path: Path) -> None:
    file = rows_file(tmp_path / "rows.jsonl", 40)
    for name in ("one", "two"):
        code, out, err = run(
            home,
            "train",
            "--examples",
            file,
            "--name",
            name,
            "--epochs",
            1,
            "--rank",
            4,
            "--activate",
            "--json",
        )
        assert code == 0, err
        (row,) = [json.loads(line) for line in out.splitlines()]
        assert (row["adapter"], row["kind"], row["documents"]) == (name, "fine_tuned", ["prices.csv"])
        assert row["rows"] + row["held_out_rows"] == 40
        assert row["held_out_rows"] > 0
        assert row["loss_after"] < row["loss_before"]
        assert 0 <= row["score_before"]["contains"] <= row["score_after"]["contains"] <= 1
        assert (row["gain"], row["active"]) == ("unproven", True)  # by --activate: the user decided
        assert "note: " in err and "under 200 tuning tends to hurt" in err  # said before the training

    def active() -> list[str]:
        _, out, _ = run(home, "adapters", "list", "--json")
        listed = [json.loads(line) for line in out.splitlines()]
        return [row["adapter"] for row in listed if row["active"] and row["kind"] == "fine_tuned"]

    assert active() == ["two"]
    assert run(home, "adapters", "back", "fine_tuned")[0] == 0
    assert active() == ["one"]
    assert run(home, "adapters", "activate", "two")[0] == 0
    assert active() == ["two"]
    zipped = tmp_path / "two.zip"
    assert run(home, "adapters", "export", "two", "--to", zipped)[0] == 0
    code, out, _ = run(home, "adapters", "import", zipped, "--name", "three", "--model", home / "base")
    assert (code, "three fits" in out) == (0, True)
    served = tmp_path / "served"
    code, out, err = run(home, "adapters", "gguf", served, "--model", home / "base")
    assert code == 0, err
    assert {path.name for path in served.iterdir()} == {
        "base.gguf", "two.gguf", "Modelfile", "Modelfile.two", "models.toml",
    }  # fmt: skip
    assert f"--lora {served / 'two.gguf'}" in out
    code, out, _ = run(
        home, "adapters", "import", served / "two.gguf", "--name", "four", "--model", home / "base"
    )
    assert (code, "four fits" in out) == (0, True)
    _, out, _ = run(home, "adapters", "compare", "one", "three", "--json")
    assert "Data fingerprint" not in {json.loads(line)["what"] for line in out.splitlines()}
    assert run(home, "adapters", "delete", "three")[0] == 0
    assert run(home, "adapters", "activate", "three")[0] == 2


def test_an_adapter_that_shows_no_gain_is_not_made_active(home: Path, tmp_path: Path) -> None:
    file = rows_file(tmp_path / "rows.jsonl", 30)
    before = run(home, "adapters", "list", "--json")[1]
    code, out, _ = run(home, "train", "--examples", file, "--name", "dull", "--epochs", 1, "--rank", 4)
    assert code == 0
    assert "held out, not made active" in out
    assert "no gain outside chance" in out or "worse" in out
    assert "`triptych adapters activate dull` lets it answer all the same." in out
    listed = [json.loads(line) for line in run(home, "adapters", "list", "--json")[1].splitlines()]
    assert {row["adapter"]: row["active"] for row in listed}["dull"] is False
    assert {row["adapter"] for row in listed if row["active"]} == {
        row["adapter"] for row in map(json.loads, before.splitlines()) if row["active"]
    }
    run(home, "adapters", "delete", "dull")


def test_bad_rows_are_one_sentence_and_status_2(home: Path, tmp_path: Path) -> None:
    few = rows_file(tmp_path / "few.jsonl", 19)
    empty = tmp_path / "empty.jsonl"
    empty.write_text('{"question": "Why?", "answer": " "}\n')
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("frage,antwort\na,b\n")
    for file, problem in (
        (few, "19 training rows are too few: at least 20 are needed."),
        (empty, "empty.jsonl, line 1: the answer is missing or empty."),
        (wrong, "needs the columns question and answer"),
        (tmp_path / "none.jsonl", "There is no file"),
    ):
        code, out, err = run(home, "train", "--examples", file)
        assert (code, out) == (2, "")
        assert problem in " ".join(err.split())
    assert run(home, "train", "--name", "not a name!", "--examples", rows_file(few, 30))[0] == 2


def test_without_rows_they_are_built_from_the_documents(home: Path) -> None:
    code, out, err = run(home, "train", "--hybrid", "--epochs", 1, "--rank", 4, "--name", "built", "--json")
    assert code == 0, err
    row = json.loads(out.splitlines()[-1])
    assert (row["kind"], row["documents"]) == ("hybrid", ["prices.csv", "returns.md", "service.txt"])


class Tuned(HashingEmbedder):
    name = "hashing tuned"


@pytest.mark.parametrize("better", [True, False])
def test_a_tuned_embedder_reads_the_documents_and_finds_where_it_is_better(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, better: bool
) -> None:
    from backends import product
    from backends.retrieval.embedding import MODEL_SHA256
    from backends.training import embedder_training
    from backends.training.adapters import AdapterCard, write_card
    from backends.training.lora import HeldOutScore, TrainingReport

    seen: dict[str, Any] = {}
    name = "better" if better else "level"

    def trained(passages: Any, train: Any, held: Any, folder: Path, params: Any, **more: Any) -> Any:
        seen.update(more, passages=passages, train=train, params=params)
        found = tuple(range(10, 20)) if better else (10,)
        folder.mkdir(parents=True)
        before, after = (HeldOutScore(0.1, len(right) / 20, 20, right) for right in ((10,), found))
        report = TrainingReport(
            len(train), 20, None, None, before, after, 0.1, 1, 1, False, 900, 3.0, 0.1, (), found_among=3
        )
        card = AdapterCard(folder.name, "embedder", "MiniLM", MODEL_SHA256, tuple(more["documents"]))
        write_card(folder, card)
        return report

    monkeypatch.setattr(embedder_training, "train_embedder", trained)
    monkeypatch.setattr(product, "shared_embedder", lambda adapter=None: Tuned())
    trees = ["Alder", "Birch", "Cedar", "Elm", "Fir", "Larch", "Maple", "Oak", "Yew"]
    rows = [
        {"question": f"What does Lamp {tree} {verb}?", "answer": f"{n * 7} EUR", "documents": ["prices.csv"]}
        for verb in ("cost", "sell for", "go for", "fetch")
        for n, tree in enumerate(trees, start=3)
    ]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    code, out, err = run(
        home, "train", "--embedder", "--examples", file, "--name", name, "--epochs", 3, "--json"
    )
    assert code == 0, err
    row = json.loads(out.splitlines()[-1])
    assert (row["kind"], row["active"], row["gain"]) == (
        "embedder", better, "better" if better else "unproven",
    )  # fmt: skip
    assert seen["params"].epochs == 3 and seen["present"] is None
    assert {seen["passages"][pair.passage].document for pair in seen["train"]} == {"prices.csv"}
    workspace = make_triptych(home)
    active = workspace.tuned_embedder()
    assert (active.name if active else None) == (name if better else None)
    if better:
        workspace.use_active_embedder()
        assert workspace.library.embedder.name == "hashing tuned"
        assert "published" in run(home, "adapters", "back", "embedder")[1]
        assert make_triptych(home).tuned_embedder() is None


def exchanges(path: Path) -> list[tuple[str, str]]:
    """(last user turn, answer) of every row, in whichever form it is written."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    turns = [row["messages"] if "messages" in row else row["prompt"] + row["completion"] for row in rows]
    assert all([turn["role"] for turn in each] == ["system", "user", "assistant"] for each in turns)
    return [(each[1]["content"], each[2]["content"]) for each in turns]


@pytest.mark.parametrize("form", FORMS)
def test_rows_are_exported_with_the_split_and_a_configuration(home: Path, tmp_path: Path, form: str) -> None:
    file, folder = rows_file(tmp_path / "rows.jsonl", 40), tmp_path / "out"
    arguments = ("train", "--examples", file, "--export", folder, "--form", form, "--base", "org/model")
    code, out, err = run(home, *arguments, "--rank", 4, "--json")
    assert code == 0, err
    told = json.loads(out)
    names = ("data/train.jsonl", "data/test.jsonl") if form == "trl" else ("train.jsonl", "held_out.jsonl")
    train, held = (exchanges(folder / name) for name in names)
    assert (len(train), len(held)) == (told["rows"], told["held_out"])
    assert len(train) + len(held) == 40 and held
    assert not {question for question, _ in train} & {question for question, _ in held}
    config = (folder / told["files"][2]).read_text(encoding="utf-8")
    assert "org/model" in config
    if form == "unsloth":
        compile(config, "train.py", "exec")
    elif form == "hosted":
        assert json.loads(config)["method"]["supervised"]["hyperparameters"]["n_epochs"] >= 1
    else:
        made = yaml.safe_load(config)
        assert made.get("lora_r", made.get("lora_rank")) == 4
        assert (made.get("lora_alpha"), made["output_dir"]) == (8, "adapter")
    if form == "llama-factory":
        info = json.loads((folder / "dataset_info.json").read_text())
        assert {each["file_name"] for each in info.values()} == {"train.jsonl", "held_out.jsonl"}
        assert {yaml.safe_load(config)[key] for key in ("dataset", "eval_dataset")} == set(info)
    card = read_card(folder)
    assert [document.name for document in card.documents] == ["prices.csv"]
    assert (card.rows, card.kind) == (40, "fine_tuned")
    code, _, err = run(home, *arguments)
    assert (code, "is there already" in err) == (2, True)


def test_exported_hybrid_rows_show_the_passages(home: Path, tmp_path: Path) -> None:
    file, folder = rows_file(tmp_path / "rows.jsonl", 40), tmp_path / "out"
    code, _, err = run(home, "train", "--hybrid", "--examples", file, "--export", folder, "--form", "hosted")
    assert code == 0, err
    assert any("[1]" in question for question, _ in exchanges(folder / "train.jsonl"))
    code, _, err = run(home, "train", "--examples", file, "--export", tmp_path / "x", "--form", "other")
    assert (code, "cannot be written for 'other'" in err) == (2, True)
