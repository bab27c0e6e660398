"""Taggers from scratch: a linear-chain CRF, BiLSTM-CRF, and bodies without transitions for comparison."""

from __future__ import annotations

from servery.models.families._tagging import TAGGER_TRAINING, TaggerRecipe


class Crf(TaggerRecipe):
    """Each tag is a sum over what is known of three words, and depends on the tag before."""

    name = "crf"
    title = "Linear-chain CRF"
    summary = (
        "A conditional random field over words, shapes and ends of three neighbouring words "
        "(Lafferty, McCallum and Pereira 2001)."
    )
    body = "window"
    has_transitions = True
    defaults = {
        **TAGGER_TRAINING,
        "learning_rate": 5e-3,
        "character_filters": 0,
        "num_layers": 0,
    }
    search_space = {"learning_rate": (2e-3, 5e-3, 1e-2), "word_dropout": (0.1, 0.3)}


class BilstmCrf(TaggerRecipe):
    """A recurrent layer in both directions under a CRF."""

    name = "bilstm-crf"
    title = "BiLSTM-CRF"
    summary = (
        "A recurrent network in both directions over words and their characters, under a linear-chain CRF "
        "(Huang, Xu and Yu 2015; Lample et al. 2016; characters as Ma and Hovy 2016)."
    )
    body = "lstm"
    has_transitions = True
    defaults = {**TAGGER_TRAINING, "learning_rate": 4e-3}
    search_space = {
        "learning_rate": (1e-3, 2e-3, 4e-3),
        "hidden_size": (64, 96, 160),
        "word_dropout": (0.1, 0.2, 0.4),
        "dropout": (0.3, 0.5),
        "swapped_spans": (0.0, 0.3, 0.6),
    }


class Lstm(TaggerRecipe):
    """The same without transitions: each word is tagged on its own."""

    name = "lstm"
    title = "BiLSTM tagger"
    summary = "A recurrent network in both directions, each word tagged on its own (Graves 2012, section 3)."
    body = "lstm"
    has_transitions = False
    defaults = {**TAGGER_TRAINING, "learning_rate": 4e-3}
    search_space = BilstmCrf.search_space


class Cnn(TaggerRecipe):
    """Filters over neighbouring words, ever further apart."""

    name = "cnn"
    title = "Convolutional tagger"
    summary = (
        "Dilated filters over neighbouring words (Collobert et al. 2011; Strubell et al. 2017, section 4), each word "
        "tagged on its own."
    )
    body = "cnn"
    has_transitions = False
    defaults = {**TAGGER_TRAINING, "num_layers": 2}
    search_space = {"learning_rate": (1e-3, 2e-3, 4e-3), "num_layers": (1, 2, 3), "dropout": (0.3, 0.5)}


class Transformer(TaggerRecipe):
    """Self-attention between the words."""

    name = "transformer"
    title = "Transformer tagger"
    summary = (
        "Self-attention blocks over the words (Vaswani et al. 2017, section 3), trained from scratch, each word "
        "tagged on its own."
    )
    body = "transformer"
    has_transitions = False
    defaults = {**TAGGER_TRAINING, "num_layers": 2, "learning_rate": 1e-3, "dropout": 0.3, "max_words": 1_000}
    search_space = {"learning_rate": (5e-4, 1e-3, 2e-3), "num_layers": (1, 2)}


CRF = Crf()
BILSTM_CRF = BilstmCrf()
LSTM = Lstm()
CNN = Cnn()
TRANSFORMER = Transformer()
