"""What speech networks promise when every frame gets a symbol: padding is not felt, and reading ahead does not wait."""

from typing import Any

import pytest
import torch

from servery.nn.network import Network, build_network
from servery.nn.speech import FrameConvolution

SHARED = {"means": [0.0] * 8, "deviations": [1.0] * 8, "labels": 4, "is_sequence": True, "dropout": 0.0}
RNN = {"splice": 3, "cell": "gru", "hidden_size": 8, "num_layers": 2, "both_directions": False}
LAYERS: dict[str, dict[str, Any]] = {
    "speech_dnn": {"splice": 1, "hidden_sizes": [8]},
    "speech_cnn": {"widths": [4, 4], "hidden_size": 8, "context": 1},
    "speech_rnn": RNN,
}
HOP = 0.01


def built(name: str, **changes: Any) -> Network:
    torch.manual_seed(0)
    return build_network(name, {**SHARED, **LAYERS[name], **changes}).eval()


def ends_of(*lengths: int) -> torch.Tensor:
    places = torch.arange(1, max(lengths) + 1)
    return torch.stack([torch.where(places <= length, places * HOP, 0.0) for length in lengths])


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("length", [1, 2, 7, 12])
def test_every_pair_of_frames_gets_its_end_and_logits_whatever_stands_behind(name: str, length: int) -> None:
    network = built(name)
    bands = torch.randn(2, 21, 8)
    together = network(bands=bands, ends=ends_of(21, length))
    alone = network(bands=bands[1:, :length], ends=ends_of(length))
    pairs = -(-length // 2)
    assert together.shape == (2, 11, 6)
    assert alone.shape == (1, pairs, 6)
    assert torch.allclose(together[1, :pairs], alone[0], atol=1e-5)
    assert not together[1, pairs:].any()
    assert alone[0, -1, 0].item() == pytest.approx(length * HOP)


def test_what_is_said_of_a_frame_reading_ahead_depends_on_a_short_look_further_and_no_more() -> None:
    network = built("speech_rnn")
    bands = torch.randn(1, 60, 8)
    changed = bands.clone()
    changed[:, 40:] += 3.0
    before, after = (network(bands=b, ends=ends_of(60))[0] for b in (bands, changed))
    # Frame 40 is in pair 20; the first layer sees three pairs further.
    settled = 20 - RNN["splice"]
    assert torch.equal(before[:settled], after[:settled])
    assert not torch.allclose(before[settled], after[settled])


def test_reading_backwards_everything_depends_on_the_end() -> None:
    network = built("speech_rnn", both_directions=True)
    bands = torch.randn(1, 60, 8)
    changed = bands.clone()
    changed[:, 59] += 3.0
    before, after = (network(bands=b, ends=ends_of(60))[0] for b in (bands, changed))
    assert not torch.equal(before[0], after[0])


def test_a_frame_convolution_is_a_dense_layer_over_spliced_frames() -> None:
    torch.manual_seed(0)
    layer = FrameConvolution(3, 2, before=1, after=2)
    frames = torch.randn(1, 5, 3)
    padded = torch.cat([torch.zeros(1, 1, 3), frames, torch.zeros(1, 2, 3)], dim=1)
    weight = layer.convolution.weight.transpose(1, 2).reshape(2, -1)  # (out, frames * in)
    dense = [padded[0, t : t + 4].reshape(-1) @ weight.T + layer.convolution.bias for t in range(5)]
    assert torch.allclose(layer(frames)[0], torch.stack(dense), atol=1e-6)
