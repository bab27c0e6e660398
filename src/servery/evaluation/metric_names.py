"""What the metrics are called and what they mean, for people."""

from __future__ import annotations

from collections.abc import Mapping

from servery.metrics.forecasts import NAMED_STEPS

METRICS: Mapping[str, tuple[str, str, bool]] = {
    "rouge_1": ("ROUGE-1", "words shared with the best reference, F1 from 0 to 100", True),
    "rouge_2": ("ROUGE-2", "pairs of words shared with that reference, F1 from 0 to 100", True),
    "rouge_l": (
        "ROUGE-L",
        "longest row of words, with gaps, shared with that reference, from 0 to 100",
        True,
    ),
    "bleu": (
        "BLEU",
        "runs of up to four words shared with the reference, from 0 to 100, as sacreBLEU counts",
        True,
    ),
    "chrf": ("chrF", "runs of up to six characters shared with the reference, from 0 to 100", True),
    "length_ratio": ("Length", "words written for each word of the references; 1 is as long", True),
    "recognised_share": (
        "Recognised",
        "share of pictures that a classifier of real ones finds as asked",
        True,
    ),
    "frechet_multiple": (
        "Fréchet multiple",
        "distance to new real pictures; 1 is that of other real ones",
        False,
    ),
    "frechet_distance": (
        "Fréchet distance",
        "of drawn and new real pictures, in the classifier's features",
        False,
    ),
    "copy_share": ("Copies", "share of pictures that nearly equal a training picture", False),
    "map_50": (
        "mAP@0.50",
        "mean over the labels of the average precision; a box overlaps its thing by half",
        True,
    ),
    "map": ("mAP@0.50:0.95", "the same, as a mean over ten overlaps from 0.50 to 0.95: COCO's figure", True),
    "map_75": ("mAP@0.75", "the same, for boxes that overlap their things by three quarters", True),
    "average_recall": (
        "Average recall",
        "share of things found by any box, mean over labels and ten overlaps",
        True,
    ),
    "frame_accuracy": ("Whole commands", "share of commands whose intent and slots are all right", True),
    "intent_accuracy": ("Intents", "share of commands whose intent is right", True),
    "slot_f1": ("Slot F1", "over all slots with their values", True),
    "slot_precision": ("Slot precision", "share of the filled slots that are right", True),
    "slot_recall": ("Slot recall", "share of the slots there are that were filled rightly", True),
    "d2": ("D²", "one minus the absolute error in errors of the median; 0 is a constant, 1 perfect", True),
    **{
        f"mae_{step}": (f"MAE {step} ahead", f"mean distance from the truth {step} step(s) ahead", False)
        for step in NAMED_STEPS
    },
    "macro_f1": ("Macro F1", "mean over the labels of the F1: every label counts the same", True),
    "micro_f1": ("Micro F1", "F1 over all decisions: frequent labels count more", True),
    "accuracy": ("Accuracy", "share of rows answered rightly", True),
    "balanced_accuracy": ("Balanced accuracy", "mean over the labels of the share found", True),
    "subset_accuracy": ("Exact rows", "share of rows where every label is right", True),
    "hamming_loss": ("Hamming loss", "share of single decisions that are wrong", False),
    "matthews_correlation": ("Matthews correlation", "of true and predicted labels; 0 is chance", True),
    "roc_auc": ("ROC AUC", "chance that a row of the label scores above one without; 0.5 is chance", True),
    "average_precision": ("Average precision", "mean precision over all levels of recall", True),
    "ks": ("KS", "largest distance between the two score distributions", True),
    "gini": ("Gini", "2 × ROC AUC − 1", True),
    "log_loss": ("Log loss", "how surprised the scores are by what is true", False),
    "brier": ("Brier score", "mean squared distance of scores and what is true", False),
    "sensitivity": ("Sensitivity", "share of the positive rows that are found at the operating point", True),
    "specificity": ("Specificity", "share of the other rows that are left alone there", True),
    "positive_predictive_value": ("PPV", "share of the rows said to be positive that are", True),
    "negative_predictive_value": ("NPV", "share of the rows said not to be positive that are not", True),
    "selection_rate": ("Said positive", "share of all rows", True),
    "mean_cost": ("Cost of a row", "mean, by the costs that were stated", False),
    "mean_profit": ("Profit of a row", "mean, by the gain and the loss that were stated", True),
    "ndcg_at_10": (
        "NDCG@10",
        "how high the items taken next stand among the first ten of all items; users with a history",
        True,
    ),
    "recall_at_20": ("Recall@20", "share of the items taken next that are among the first twenty", True),
    "hit_rate_at_10": ("Hit rate@10", "share of users who take one of the first ten", True),
    "mrr_at_100": (
        "MRR@100",
        "mean of 1 / rank of the first item that is taken, 0 beyond the hundredth",
        True,
    ),
    "catalogue_coverage": (
        "Catalogue shown",
        "share of all items that stand among anybody's first ten",
        True,
    ),
    "cold_ndcg_at_10": ("NDCG@10, new users", "the same for users without a history", True),
    "cold_recall_at_20": ("Recall@20, new users", "the same for users without a history", True),
    "coverage": ("Answered", "share of rows that the model answers instead of abstaining", True),
    "answered_quality": ("Quality of the answers", "how right it is where it does not abstain", True),
    "in_scope_accuracy": ("In-scope accuracy", "share answered rightly of the rows that a label fits", True),
    "out_of_scope_recall": ("Out-of-scope recall", "share left unanswered of the rows that none fits", True),
    "mrr": (
        "MRR",
        "mean of 1 / rank of the right head or tail among all entities that make no other fact",
        True,
    ),
    "tail_mrr": ("MRR of tails", "mean of 1 / rank of the right tail", True),
    "head_mrr": ("MRR of heads", "mean of 1 / rank of the right head", True),
    "hits_at_1": ("Hits at 1", "share of right heads and tails that are ranked first", True),
    "hits_at_3": ("Hits at 3", "share of right heads and tails among the first three", True),
    "hits_at_10": ("Hits at 10", "share of right heads and tails among the first ten", True),
    "mean_rank": ("Mean rank", "of the right head or tail", False),
    "triple_accuracy": ("Triples judged rightly", "share of true and false triples told apart", True),
    "relation_f1": (
        "Relation F1",
        "mean F1 over the relations; the direction must be right, and no relation does not count",
        True,
    ),
    "relation_micro_f1": (
        "Relation micro F1",
        "F1 over all decisions for a relation, direction counted",
        True,
    ),
    "false_alarm_rate": ("False alarms", "share of usual rows with an alarm; 0.05 is promised", False),
    "alarm_recall": ("Found by alarms", "share of anomalies with an alarm at that rate", True),
    "alarm_precision": ("True alarms", "share of alarms that are anomalies, at that rate", True),
    "ece": ("Calibration error", "mean distance of a score from the share that comes true", False),
    "entity_f1": ("Entity F1", "of exact places with the right label; all entities count the same", True),
    "entity_precision": ("Entity precision", "share of the entities said that are exactly right", True),
    "entity_recall": ("Entity recall", "share of the true entities that were found exactly", True),
    "macro_entity_f1": ("Macro entity F1", "mean over the labels: every label counts the same", True),
    "place_f1": ("F1 of places", "exact places, whatever their label", True),
    "skill": ("Skill", "1 − ADE / that of constant velocity; 0 is going on as before", True),
    "ade": ("ADE", "mean distance of the best guess over all steps, metres", False),
    "fde": ("FDE", "mean distance of the best guess at the last step, metres", False),
    "ade_best_of_20": ("ADE, best of 20", "of the nearest of twenty tracks, metres", False),
    "fde_best_of_20": ("FDE, best of 20", "of the nearest of twenty last positions, metres", False),
    "miss_rate": ("Misses", "share of best guesses more than 2 m off at the last step", False),
    "collision_rate": (
        "Collisions",
        "share of agents whose best guess comes within 0.2 m of another's",
        False,
    ),
    "track_coverage_90": (
        "Held by the 90 % radius",
        "share of tracks within all the way; 0.9 is promised",
        True,
    ),
    "final_radius_90": ("The 90 % radius at the end", "metres", False),
    "r2": ("R²", "share of the target's variance that is explained; 0 is its mean", True),
    "rmse": ("RMSE", "root of the mean squared error, in the target's unit", False),
    "mae": ("MAE", "mean distance from the truth, in the target's unit", False),
    "bias": ("Bias", "mean signed error: above 0 it says too much", False),
    "set_coverage_90": (
        "Held by the 90 % set",
        "share of true labels within; at least 0.9 is promised",
        True,
    ),
    "set_size_90": ("Labels in the 90 % set", "mean number that cannot be ruled out", False),
    "interval_coverage_90": ("Held by the 90 % interval", "share of truths within; 0.9 is promised", True),
    "interval_width_90": ("Width of the 90 % interval", "mean, in the target's unit", False),
    "character_chance": ("Chance of a character", "given to what stands there, its geometric mean", True),
    "nats_per_character": (
        "Nats per character",
        "how surprised the model is, exp(-nats) is the chance",
        False,
    ),
    "bits_per_character": (
        "Bits per character",
        "the same in bits: what a compressor built on it would need",
        False,
    ),
    "perplexity": ("Perplexity", "of a token, among how many it wavers; depends on how texts are cut", False),
    "word_accuracy": ("Word accuracy", "1 − word error rate", True),
    "word_error_rate": ("Word error rate", "words wrong, missed or put in, for each word said", False),
    "substitution_rate": ("Substitutions", "words taken for others, for each word said", False),
    "deletion_rate": ("Deletions", "words missed, for each word said", False),
    "insertion_rate": ("Insertions", "words heard where none was said, for each word said", False),
    "character_error_rate": (
        "Character error rate",
        "the same in characters; the one to read for Chinese",
        False,
    ),
    "exact_texts": ("Exact texts", "share of recordings without any mistake", True),
}
"""Name to title, meaning, and whether larger is better."""


def title_of(metric: str) -> str:
    """Return a metric's name for people.

    >>> title_of("macro_f1")
    'Macro F1'
    """
    return METRICS[metric][0] if metric in METRICS else metric.replace("_", " ")


def meaning_of(metric: str) -> str:
    """Return what a metric says, in a clause; empty for one that is not known."""
    if metric not in METRICS:
        return ""
    _, meaning, is_larger_better = METRICS[metric]
    return meaning if is_larger_better else f"{meaning}; smaller is better"
