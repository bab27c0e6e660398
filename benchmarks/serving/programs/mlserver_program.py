"""The model behind MLServer."""

from __future__ import annotations

from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse
from peer_model import PeerModel


class Served(MLModel):  # type: ignore[misc]
    """One model."""

    async def load(self) -> bool:
        """Load the model."""
        self._model = PeerModel()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer a batch."""
        given = payload.inputs[0]
        codec = StringCodec if self._model.is_text else NumpyCodec
        scores = self._model.scores(codec.decode_input(given))
        return InferenceResponse(
            model_name=self.name, outputs=[NumpyCodec.encode_output(name="scores", payload=scores)]
        )
