"""Joint models of intent and slots: one body, two heads."""

from __future__ import annotations

from servery.models.families._commands import COMMAND_TRAINING, CommandRecipe


class JointBilstm(CommandRecipe):
    """A recurrent layer in both directions; intent from its pooled states, slots from a CRF over them."""

    name = "joint-bilstm"
    title = "Joint BiLSTM-CRF"
    summary = (
        "A recurrent network in both directions, whose states tell the intent and, under a CRF, the slots "
        "(Liu and Lane 2016; Lample et al. 2016)."
    )
    body = "lstm"
    defaults = COMMAND_TRAINING
    search_space = {
        "learning_rate": (2e-3, 4e-3),
        "hidden_size": (64, 96, 128),
        "dropout": (0.3, 0.5),
        "word_dropout": (0.1, 0.2),
        "swapped_spans": (0.0, 0.3, 0.6),
    }


class JointCnn(CommandRecipe):
    """Filters over neighbouring words in the place of the recurrent layer."""

    name = "joint-cnn"
    title = "Joint CNN-CRF"
    summary = (
        "Filters over neighbouring words, pooled for the intent and under a CRF for the slots (Xu and Sarikaya 2013, "
        "Convolutional neural network based triangular CRF)."
    )
    body = "cnn"
    defaults = {**COMMAND_TRAINING, "num_layers": 2, "learning_rate": 2e-3}
    search_space = {"learning_rate": (1e-3, 2e-3, 4e-3), "num_layers": (1, 2), "dropout": (0.3, 0.5)}


class JointTransformer(CommandRecipe):
    """Self-attention between the words."""

    name = "joint-transformer"
    title = "Joint transformer"
    summary = (
        "Self-attention between the words, pooled for the intent and under a CRF for the slots (Chen, Zhuo and Wang "
        "2019, BERT for joint intent classification and slot filling; here from scratch)."
    )
    body = "transformer"
    defaults = {
        **COMMAND_TRAINING,
        "num_layers": 2,
        "learning_rate": 1e-3,
        "dropout": 0.3,
        "max_words": 500,
    }
    search_space = {"learning_rate": (5e-4, 1e-3, 2e-3), "num_layers": (1, 2)}


JOINT_BILSTM = JointBilstm()
JOINT_CNN = JointCnn()
JOINT_TRANSFORMER = JointTransformer()
