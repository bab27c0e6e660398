"""What a network puts out for examples whose rows have shapes of their own."""

from __future__ import annotations

import numpy as np
import torch

from servery.models.families._examples import TokenExamples
from servery.nn.network import Network


def ragged_outputs(network: Network, examples: TokenExamples, batch_rows: int) -> np.ndarray:
    """Run batches of rows of like sizes.

    Args:
        network: In evaluation mode.
        examples: In memory, padded batch by batch.
        batch_rows: Rows at a time.

    Returns:
        Objects, (rows,), each a row's array as padded in its batch.
    """
    device = next(network.parameters()).device
    order = np.argsort(examples.sorted_by, kind="stable")
    outputs = np.empty(len(examples), object)
    with torch.inference_mode():
        for start in range(0, len(order), batch_rows):
            rows = order[start : start + batch_rows]
            inputs = {name: array.to(device) for name, array in examples.inputs(rows).items()}
            for row, values in zip(rows, network(**inputs).float().cpu().numpy(), strict=True):
                outputs[row] = values
    return outputs
