"""Financial risk: how likely a loan is not paid back."""

from __future__ import annotations

import numpy as np

from servery.data.building import build_dataset
from servery.data.catalog import KnownDataset
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.fields._field import Field, Offer, RecipeChoice
from servery.fields.offers.financial_risk_anomaly import OFFER as ANOMALY

_EMPLOYMENT = {"employed": 0.0, "self-employed": 0.4, "retired": -0.2, "student": 0.5, "unemployed": 1.6}
_PURPOSE = {"home": -0.5, "car": -0.1, "education": 0.1, "furniture": 0.2, "business": 0.9}
_KINDS = {
    "income": "number",
    "loan_amount": "number",
    "debt_ratio": "number",
    "age": "number",
    "employment": "category",
    "purpose": "category",
    "late_payments": "number",
    "defaulted": "category",
}


def sample(rows: int = 600, seed: int = 0) -> Dataset:
    """Make loans whose default follows a hidden logistic model; about a fifth are not paid back.

    Args:
        rows: How many.
        seed: Equal seeds give equal rows.
    """
    chance = np.random.default_rng([0x10A4, seed])
    income = np.round(np.exp(chance.normal(10.4, 0.5, rows)), -2)
    loan_amount = np.round(income * np.exp(chance.normal(-0.9, 0.6, rows)), -2)
    debt_ratio = np.round(chance.beta(2, 4, rows), 3)
    age = np.clip(chance.normal(42, 13, rows), 18, 85).round()
    late_payments = chance.poisson(chance.gamma(0.7, 1.2, rows)).clip(0, 9).astype(float)
    employment = chance.choice(list(_EMPLOYMENT), rows, p=[0.6, 0.15, 0.1, 0.08, 0.07])
    purpose = chance.choice(list(_PURPOSE), rows, p=[0.3, 0.3, 0.15, 0.15, 0.1])
    logit = (
        -4.6
        + 4.2 * debt_ratio
        + 1.1 * late_payments
        + 1.1 * np.log(loan_amount / income + 0.1)
        - 0.9 * (np.log(income) - 10.4)
        + 0.5 * (age < 26)
        + np.array([_EMPLOYMENT[name] for name in employment])
        + np.array([_PURPOSE[name] for name in purpose])
        + 1.0
    )
    defaulted = chance.random(rows) < 1 / (1 + np.exp(-1.4 * logit))
    # Some applicants do not say what they earn.
    income[chance.random(rows) < 0.03] = np.nan
    raw = RawTable(
        {
            "income": income.astype(object),
            "loan_amount": loan_amount.astype(object),
            "debt_ratio": debt_ratio.astype(object),
            "age": age.astype(object),
            "employment": employment.astype(object),
            "purpose": purpose.astype(object),
            "late_payments": late_payments.astype(object),
            "defaulted": object_array(["yes" if bad else "no" for bad in defaulted]),
        },
        np.arange(1, rows + 1, dtype=np.int64),
        facts={"made": f"generated with seed {seed}, not real loans"},
    )
    return build_dataset(raw, "financial-risk-sample", target="defaulted", kinds=_KINDS, is_sample=True)


FIELD = Field(
    name="financial-risk",
    title={"en": "Financial risk", "zh": "金融风险"},
    summary={
        "en": "Estimates how likely a borrower is to default, from the columns of an application.",
        "zh": "根据申请表中的各项数据估计借款人违约的可能性。",
    },
    offers=(
        Offer(
            tasks=("classification",),
            form="table",
            recipes=(
                RecipeChoice(
                    "logistic", "seconds; one weight a column, so that every refusal can be explained"
                ),
                RecipeChoice(
                    "scorecard", "seconds; points for each bin of each column, a card that can be printed"
                ),
                RecipeChoice("gradient-boosting", "under a minute; usually the best on tables"),
                RecipeChoice("mlp", "minutes; embeddings for categories, wants many rows"),
            ),
            starter_recipe="gradient-boosting",
            columns={
                "income, debt_ratio, ...": "numbers and categories known when the loan is asked for",
                "defaulted": "whether it was not paid back: yes or no",
            },
            known_datasets=(
                KnownDataset(
                    name="taiwan-credit-default",
                    folder="financial-risk/taiwan-credit-default",
                    files={"train": "train.csv.gz", "test": "test.csv.gz"},
                    target="default.payment.next.month",
                    ignored=("ID",),
                    license="CC BY 4.0",
                    citation=(
                        "Yeh and Lien 2009, The comparisons of data mining techniques for the predictive accuracy of "
                        "probability of default of credit card clients, Expert Systems with Applications"
                    ),
                ),
            ),
            positives=("yes",),
            subgroups=("SEX", "EDUCATION", "AGE", "age"),
            sample=sample,
            example={
                "income": 32000.0,
                "loan_amount": 15000.0,
                "debt_ratio": 0.42,
                "age": 34.0,
                "employment": "self-employed",
                "purpose": "business",
                "late_payments": 2.0,
            },
        ),
        ANOMALY,
    ),
    limits_of_use=(
        "Supports a decision, does not take it: the law in many places asks for a person and a reason for every "
        "refusal. Check for unequal treatment by sex, age and origin before use, and again whenever the market changes."
    ),
)
