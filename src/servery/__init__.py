"""Servery: models, served. From your data to a governed production API."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# The face is looked up on first use: `import servery` costs milliseconds and loads neither torch nor the server.
_FACE = {
    "Advice": "servery.pipeline.advice",
    "AsyncClient": "servery.client",
    "Client": "servery.client",
    "Field": "servery.fields._field",
    "Model": "servery.pipeline.local",
    "Plan": "servery.pipeline.plan",
    "Settings": "servery.settings",
    "Trained": "servery.pipeline.train",
    "Workspace": "servery.pipeline.workspace",
    "add": "servery.pipeline.add",
    "admin_key": "servery.pipeline.workspace",
    "advise": "servery.pipeline.advice",
    "all_fields": "servery.fields._field",
    "answer_line": "servery.pipeline.ask",
    "ask": "servery.pipeline.ask",
    "build_graph": "servery.pipeline.graph.face",
    "check_data": "servery.pipeline.inspect_data",
    "checked_limits": "servery.gateway.access",
    "checked_scopes": "servery.gateway.access",
    "child_environment": "servery.console.server",
    "coco_results": "servery.pipeline.coco",
    "cross_validate": "servery.pipeline.reevaluate",
    "deploy": "servery.pipeline.deploy",
    "diagnose": "servery.pipeline.diagnosis",
    "drift": "servery.pipeline.drift",
    "draw_designs": "servery.evaluation.designs",
    "evaluate": "servery.pipeline.reevaluate",
    "explain": "servery.pipeline.ask",
    "explanation_lines": "servery.pipeline.ask",
    "export_graph": "servery.pipeline.graph.face",
    "is_serving": "servery.pipeline.ask",
    "load": "servery.pipeline.local",
    "make_designer": "servery.pipeline.design",
    "missing_starters": "servery.pipeline.starters",
    "predict_file": "servery.pipeline.batch",
    "predict_to_file": "servery.pipeline.batch",
    "query_graph": "servery.pipeline.graph.face",
    "read_usage": "servery.registry.usage",
    "serve": "servery.console.server",
    "train": "servery.pipeline.train",
    "train_starter": "servery.pipeline.starters",
    "write_coco_results": "servery.pipeline.coco",
}

__all__ = ["__version__", *sorted(_FACE)]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name not in _FACE:
        raise AttributeError(f"module 'servery' has no attribute {name!r}")
    return getattr(import_module(_FACE[name]), name)


if TYPE_CHECKING:
    from servery.client import AsyncClient as AsyncClient
    from servery.client import Client as Client
    from servery.console.server import child_environment as child_environment
    from servery.console.server import serve as serve
    from servery.evaluation.designs import draw_designs as draw_designs
    from servery.fields._field import Field as Field
    from servery.fields._field import all_fields as all_fields
    from servery.gateway.access import checked_limits as checked_limits
    from servery.gateway.access import checked_scopes as checked_scopes
    from servery.pipeline.add import add as add
    from servery.pipeline.advice import Advice as Advice
    from servery.pipeline.advice import advise as advise
    from servery.pipeline.ask import answer_line as answer_line
    from servery.pipeline.ask import ask as ask
    from servery.pipeline.ask import explain as explain
    from servery.pipeline.ask import explanation_lines as explanation_lines
    from servery.pipeline.ask import is_serving as is_serving
    from servery.pipeline.batch import predict_file as predict_file
    from servery.pipeline.batch import predict_to_file as predict_to_file
    from servery.pipeline.coco import coco_results as coco_results
    from servery.pipeline.coco import write_coco_results as write_coco_results
    from servery.pipeline.deploy import deploy as deploy
    from servery.pipeline.design import make_designer as make_designer
    from servery.pipeline.diagnosis import diagnose as diagnose
    from servery.pipeline.drift import drift as drift
    from servery.pipeline.graph.face import build_graph as build_graph
    from servery.pipeline.graph.face import export_graph as export_graph
    from servery.pipeline.graph.face import query_graph as query_graph
    from servery.pipeline.inspect_data import check_data as check_data
    from servery.pipeline.local import Model as Model
    from servery.pipeline.local import load as load
    from servery.pipeline.plan import Plan as Plan
    from servery.pipeline.reevaluate import cross_validate as cross_validate
    from servery.pipeline.reevaluate import evaluate as evaluate
    from servery.pipeline.starters import missing_starters as missing_starters
    from servery.pipeline.starters import train_starter as train_starter
    from servery.pipeline.train import Trained as Trained
    from servery.pipeline.train import train as train
    from servery.pipeline.workspace import Workspace as Workspace
    from servery.pipeline.workspace import admin_key as admin_key
    from servery.registry.usage import read_usage as read_usage
    from servery.settings import Settings as Settings
