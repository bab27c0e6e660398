"""Networks that forecast: a recurrent one, and filters that look back ever further."""

from __future__ import annotations

from servery.models.families._series import SERIES_TRAINING, ForecastRecipe


class Lstm(ForecastRecipe):
    """Recurrent layers over the past; the last state tells all steps."""

    name = "lstm"
    title = "LSTM forecaster"
    summary = (
        "A recurrent network over the past of all series; its last state tells all steps at once, as changes from the "
        "last reading (Hochreiter and Schmidhuber 1997; Taieb and Hyndman 2014)."
    )
    body = "lstm"
    defaults = SERIES_TRAINING
    search_space = {"learning_rate": (5e-4, 1e-3), "hidden_size": (16, 32, 64), "dropout": (0.1, 0.2, 0.4)}


class Tcn(ForecastRecipe):
    """Dilated filters that look back only."""

    name = "tcn"
    title = "Temporal convolution"
    summary = (
        "Filters over the past, each layer twice as far apart as the one before; the last place tells all steps at "
        "once (Bai, Kolter and Koltun 2018)."
    )
    body = "tcn"
    defaults = {**SERIES_TRAINING, "num_layers": 5}
    search_space = {"learning_rate": (5e-4, 1e-3, 2e-3), "hidden_size": (32, 64), "num_layers": (4, 5)}


LSTM = Lstm()
TCN = Tcn()
