"""`testbed source` and `testbed sample` on an example of every registered source."""

import json
from pathlib import Path

import numpy as np
import pytest

from testbed.commands import sample, source_card
from testbed.sources import MarkovSource, available, build
from testbed.sources.source import sources


@pytest.mark.parametrize("name", available())
def test_every_source_has_a_card_and_a_file(name: str, tmp_path: Path, monkeypatch, capsys) -> None:
    source = sources.find(name).examples()[0]
    monkeypatch.setattr(source_card, "source_of", lambda *_: source)
    monkeypatch.setattr(sample, "source_of", lambda *_: source)
    assert source_card.show_source(name, [], max_context=2) == 0
    card = capsys.readouterr().out
    assert source.fingerprint in card
    assert "nan" not in card.split("entropies")[1]
    assert "-0.000000" not in card
    length = min(source.lengths(64), key=lambda n: abs(n - 6))
    out = tmp_path / "tokens.npz"
    assert sample.write_sample(name, [], 3, length, out, max_context=2) == 0
    with np.load(out, allow_pickle=False) as file:
        assert np.array_equal(file["tokens"], source.batch(3, length).tokens)
        metadata = json.loads(str(file["metadata"]))
        assert metadata["fingerprint"] == source.fingerprint
        if "log_probs" not in metadata["refused"]:
            assert file["log_probs"] == pytest.approx(source.log_probs_batch(source.batch(3, length)), abs=1e-12)


def test_a_file_holds_the_arrays_that_its_config_names_by_content(tmp_path: Path, monkeypatch) -> None:
    kernel = MarkovSource.random(vocab_size=20, order=2, seed=1).kernel
    source = MarkovSource(kernel)
    monkeypatch.setattr(sample, "source_of", lambda *_: source)
    out = tmp_path / "tokens.npz"
    sample.write_sample("markov", [], 2, 5, out)
    with np.load(out, allow_pickle=False) as file:
        config = json.loads(str(file["metadata"]))["config"]
        config["kernel"] = file[f"config_{config['kernel']['sha256']}"]
    assert build({k: v for k, v in config.items() if v is not None}).fingerprint == source.fingerprint
