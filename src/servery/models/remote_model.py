"""A model behind another server that speaks OpenAI's language becomes a predictor."""

from __future__ import annotations

from servery.data.columns import Column, Kind, Role
from servery.errors import InputError, ServeryError
from servery.models.encoders.remote_prompts import RemotePrompts
from servery.models.predictor import Predictor
from servery.models.runtimes.openai_server import OpenAIServer
from servery.models.signature import Signature
from servery.tasks.task import Calibration

RECIPE = "openai-server"
COLUMN = "text"


def read_remote(source: str, key_variable: str = "") -> Predictor:
    """Ask a server for a model, and return it as a predictor.

    Args:
        source: "URL#model", e.g. "http://gpu-box:8000/v1#llama-3"; without a path it is /v1.
        key_variable: The environment variable that holds its key; empty for none.

    Raises:
        InputError: The address can be none, or the server has no such model.
        NotReadyError: The server cannot be reached.
    """
    address, mark, model = source.rpartition("#")
    if not mark or not model:
        raise InputError(
            "The address names no model.", hint="openai:http://gpu-box:8000/v1#llama-3", param="source"
        )
    runtime = OpenAIServer(address, model, key_variable)
    try:
        known = runtime.models()
        if model not in known:
            raise InputError(
                f"The server has no model {model[:100]!r}; it has {', '.join(sorted(known)[:10]) or 'none'}.",
                param="source",
            )
    except ServeryError:
        runtime.close()
        raise
    signature = Signature(
        task="text-generation",
        field="natural-language-processing",
        inputs=(Column(COLUMN, Kind.TEXT, Role.INPUT),),
        example="Once upon a time",
    )
    reason = f"forwarded to {runtime.address}, which has the model {model}"
    return Predictor(signature, RemotePrompts(COLUMN), runtime, Calibration(), RECIPE, reason)
