"""The report stands alone, hides nothing and lets nothing from the data through as markup."""

import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser

import evaluation_tiny as tiny
import numpy as np
import pytest

from servery.data.columns import Kind
from servery.data.finding import Finding
from servery.evaluation.cross_validation import cross_validate
from servery.evaluation.evaluate import Evaluation, evaluate
from servery.evaluation.report import render

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; background: url(//evil.example)",
    "{{ 7 * 7 }} $\\frac{1}{2}$ %s",
    "--><svg onload=alert(1)> ]]> &lt; <metadata>",
    'id="x" url(#y) 情感 \x0b\u202e',
]
FACTS = {
    "name": "reviews",
    "field_title": {"en": "Sentiment analysis", "zh": "情感分析"},
    "is_sample": False,
    "limits_of_use": "Not for decisions about people.",
    "split": {"policy": "stratified", "reason": "no time", "train": 300, "validation": 30, "test": 200},
    "plan": 'name = "reviews"',
    "lineage": {"data": "reviews.csv", "data_rows": 530, "data_facts": {"encoding": "utf-8"}},
    "environment": {"python": "3.11"},
}
HISTORY = [{"epoch": float(i), "loss": 1 / i, "macro_f1": 0.5 + 0.01 * i} for i in range(1, 6)]


@pytest.fixture(scope="module")
def html(full):
    return render(full[0], FACTS, full[1])


class Page(HTMLParser):
    """Collects what matters of a page."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.text, self.ids = [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *attribute) for attribute in attrs]
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def full():
    train, test = tiny.credits(300, 0), tiny.credits(300, 1)
    findings = [Finding("duplicate_rows", "warning", "Three rows are copies.")]
    found = evaluate(
        tiny.credit_predictor(train),
        test,
        train,
        cheap_baseline=tiny.credit_predictor(train, 0.1),
        findings=findings,
        history=HISTORY,
    )
    folds = cross_validate(lambda a, b: tiny.credit_predictor(a), train, 3, 0)
    return found, folds


def test_every_section_is_there(html, full):
    page = Page(html)
    text = " ".join(page.text)
    for heading in (
        "Macro F1 against the baselines",
        "All metrics",
        "How the data was split",
        "What the data checks found",
        "Label by label",
        "Confusion matrix",
        "ROC curve",
        "Precision and recall",
        "Can the scores be believed?",
        "Where to draw the line",
        "How the learning went",
        "Where it is weak",
        "Where it was sure and wrong",
        "Cross-validation",
        "Limits of use",
        "How it was made",
    ):
        assert heading in text
    assert full[0].verdict in text
    assert "情感分析" in text


def test_each_figure_has_a_title_a_sentence_and_a_data_table(html):
    figures = re.findall(r"<figure>.*?</figure>", html, flags=re.DOTALL)
    assert len(figures) == 11
    for figure in figures:
        assert re.search(r"<h2>[^<]+</h2>\s*<p>[^<]*\d[^<]*</p>", figure)
        assert 'role="img" aria-label="' in figure
        assert "<svg" in figure
        assert "<table>" in figure


def test_the_page_needs_no_network_and_no_script(html):
    page = Page(html)
    assert not {"script", "link", "iframe", "object", "embed", "form", "base"} & set(page.tags)
    for tag, name, value in page.attributes:
        assert not name.startswith("on")
        if name in {"src", "href", "xlink:href", "action", "data"}:
            assert value.startswith(("data:image/png;base64,", "#")), (tag, name, value)
    policy = next(value for _, name, value in page.attributes if name == "content" and "default-src" in value)
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_ids_are_unique_and_references_lead_to_them(html):
    ids = Page(html).ids
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'url\(#([^)]+)\)|xlink:href="#([^"]+)"', html)) <= {
        pair for name in ids for pair in ((name, ""), ("", name))
    }


def test_the_colours_are_those_of_the_page(html):
    assert "prefers-color-scheme: dark" in html
    assert "var(--accent)" in html
    drawn = "".join(re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL))
    assert not re.search(r"#0102|#000000|#ffffff", drawn)


def test_the_same_evaluation_gives_the_same_page(html, full):
    assert render(Evaluation.from_dict(full[0].to_dict()), FACTS, full[1]) == html


def test_sample_data_is_named_loudly_and_a_doubtful_verdict_is_marked(html, full):
    assert "Sample data." not in html
    assert "do not rely on these figures" not in html
    doubtful = render(replace(full[0], is_trustworthy=False), FACTS | {"is_sample": True})
    assert "<strong>Sample data.</strong>" in doubtful
    assert "do not rely on these figures" in doubtful


def test_a_page_can_be_made_without_facts_and_figures(full):
    bare = Evaluation(
        task="classification",
        recipe="tiny",
        primary_metric="macro_f1",
        labels=(),
        rows=1,
        train_rows=1,
        metrics=full[0].metrics[:1],
        comparisons=(),
        verdict="Too few.",
        is_trustworthy=False,
    )
    assert "Too few." in render(bare, {})
    assert render(replace(full[0], history=full[0].history[:1]), {})


def test_nothing_from_the_data_becomes_markup():
    hostile = " ".join(HOSTILE)
    train, test = numbered(HOSTILE, 300, 0), numbered(HOSTILE, 200, 1)
    predictor = replace(numbered_predictor(HOSTILE, train), recipe=hostile)
    finding = Finding(hostile, "warning", hostile, hostile)
    found = evaluate(predictor, test, train, cheap_baseline=predictor, findings=[finding])
    facts = {
        "name": hostile,
        "field_title": {"en": hostile},
        "limits_of_use": hostile,
        "split": {"policy": hostile, "reason": hostile, "train": 1, "validation": 1, "test": 1},
        "plan": hostile,
        "lineage": {hostile: hostile},
        "environment": {hostile: hostile},
    }
    page = Page(render(found, facts))
    assert not {"script", "metadata", "img"} & set(page.tags)
    assert not [a for a in page.attributes if a[1].startswith("on") or a[1] == "src"]
    assert not [a for a in page.attributes if a[1] == "style" and "evil" in (a[2] or "")]
    assert "49" not in " ".join(page.text).split()


def numbered(labels, rows, seed):
    """Rows whose number tells their label, which stands in a category too."""
    generator = np.random.default_rng([rows, seed])
    truth = generator.integers(0, len(labels), rows)
    cells = [labels[i] for i in truth]
    columns = {
        "debt": (Kind.NUMBER, truth + generator.normal(0, 0.4, rows)),
        "<b>": (Kind.CATEGORY, cells),
        "outcome": (Kind.CATEGORY, cells),
    }
    return tiny.dataset_of(columns, "outcome")


def numbered_predictor(labels, dataset):
    places = np.arange(float(len(labels)))
    encoder = tiny.NumberEncoder(["debt"])
    return tiny.predictor(
        tiny.find_task("classification"), dataset, labels, encoder, [2 * places], -(places**2)
    )


def test_many_labels_in_two_scripts_are_drawn_without_a_warning():
    labels = [f"类别{i}" if i % 2 else f"label-with-a-long-name-{i}" for i in range(40)]
    train, test = numbered(labels, 400, 0), numbered(labels, 400, 1)
    html = render(evaluate(numbered_predictor(labels, train), test, train), FACTS)
    assert "Shown are the 30 most frequent of 40 labels" in html
    assert "类别" in html


@pytest.mark.browser
def test_a_browser_opens_it_without_a_request_or_a_complaint(html, tmp_path):
    from playwright.sync_api import sync_playwright

    path = tmp_path / "report.html"
    path.write_text(html, encoding="utf-8")
    heard = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            for width in (390, 1200):
                page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
                page.on("console", lambda message: heard.append(message.text))
                page.on(
                    "request",
                    lambda request: heard.append(request.url) if "report.html" not in request.url else 0,
                )
                page.goto(path.as_uri())
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                page.close()
        browser.close()
    assert heard == []


def chromium():
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium here")
    return found
