"""Where a pretrained encoder comes from, and what is said when it does not."""

from pathlib import Path

import pytest

from servery.errors import ArtifactError, MissingExtraError
from servery.models import encoder_source
from servery.models.encoder_source import encoder_folder
from servery.models.sentence_encoders import pooling_of, read_bert


def test_without_a_name_it_is_the_one_that_the_package_carries() -> None:
    folder = encoder_folder("")
    read = read_bert(folder, pooling_of(folder))
    assert (read.arguments["size"], read.arguments["num_layers"], pooling_of(folder)) == (384, 6, "mean")
    assert read.weights["words.weight"].shape == (read.arguments["vocabulary_size"], 384)


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_source, "CARRIED_BY", "no_such_package_here")
    with pytest.raises(MissingExtraError, match="'encoder'"):
        encoder_folder("")


def test_a_folder_is_taken_as_it_is_and_a_missing_one_is_named(tmp_path: Path) -> None:
    assert encoder_folder(str(tmp_path)) == tmp_path
    with pytest.raises(ArtifactError, match="no folder 'nowhere/at-all'"):
        encoder_folder("nowhere/at-all")


def test_a_folder_without_safetensors_is_refused(tmp_path: Path) -> None:
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes((encoder_folder("") / name).read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"anything")
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_bert(tmp_path, "mean")
