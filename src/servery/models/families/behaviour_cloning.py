"""Behaviour cloning: a network that decides as the demonstrations did."""

from __future__ import annotations

from servery.models.families.table_mlp import TableMlp


class BehaviourCloning(TableMlp):
    """The table MLP over what is around the car; it needs demonstrations and no road."""

    name = "behaviour-cloning"
    title = "Behaviour cloning"
    summary = (
        "A network that learns which action the demonstrations took in each moment, as a question of labels "
        "(Pomerleau 1989, ALVINN; Ross and Bagnell 2010 on what such drivers do off the demonstrated road)."
    )
    tasks = frozenset({"driving-decision"})
    defaults = {
        **TableMlp.defaults,
        "transform": "standard",
        "hidden_sizes": [256, 256],
        "dropout": 0.2,
    }
    search_space = {
        "learning_rate": (1e-3, 2e-3),
        "hidden_sizes": ([128, 128], [256, 256]),
        "dropout": (0.0, 0.05, 0.2),
    }


BEHAVIOUR_CLONING = BehaviourCloning()
