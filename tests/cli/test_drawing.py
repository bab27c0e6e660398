"""Drawing from the command line: a folder of pictures learned, pictures kept, what cannot be drawn refused."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from PIL import Image

from servery.fields.offers.image_generation_categories import sample

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def emblems(servery: Run, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("pictures")
    rows = sample(90, 0)
    for number, (prompt, picture) in enumerate(zip(rows["prompt"], rows["image"], strict=True)):
        (folder / prompt).mkdir(exist_ok=True)
        (folder / prompt / f"{number}.png").write_bytes(picture)
    words = ["--set", "epochs=2", "--set", "latent=4", "--name", "emblems"]
    done = servery("train", "--field", "image-generation", "--data", str(folder), "--recipe", "vae", *words)
    assert "text 'label' -> 'image'" in done.stderr
    assert "recognised_share" in done.stderr + done.stdout
    return "emblems"


def test_pictures_are_kept_in_files_or_told_in_a_line(servery: Run, emblems: str, tmp_path: Path) -> None:
    told = servery("run", emblems, "a red circle").stdout
    assert told == "a picture of 16 x 16 pixels; --output FILE.png keeps it\n"
    one, again = tmp_path / "one.png", tmp_path / "again.png"
    for path in (one, again):
        assert (
            servery("run", emblems, "red circle", "--set", "seed=3", "--output", str(path)).stdout
            == f"{path}\n"
        )
    assert one.read_bytes() == again.read_bytes()
    assert Image.open(io.BytesIO(one.read_bytes())).size == (16, 16)
    several = servery("run", emblems, "red circle", "--set", "n=2", "--output", str(tmp_path / "x.png"))
    assert several.stdout.splitlines() == [str(tmp_path / "x-1.png"), str(tmp_path / "x-2.png")]
    grid = tmp_path / "grid.png"
    servery("run", emblems, "red circle", "--set", "n=4", "--set", "grid=true", "--output", str(grid))
    assert Image.open(io.BytesIO(grid.read_bytes())).size == (33, 33)


def test_what_cannot_be_drawn_is_told_with_what_is_nearest(servery: Run, emblems: str) -> None:
    refused = servery("run", emblems, "a red circel", status=7).stderr
    assert "Did you mean 'red circle'?" in refused
    assert "draws at once" in servery("run", emblems, "red circle", "--set", "steps=4", status=7).stderr
