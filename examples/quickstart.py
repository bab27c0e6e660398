"""From data to an answer in Python, in a throw-away data home; `make demo` runs it, and so do the tests."""

from __future__ import annotations

import tempfile

import servery


def main() -> None:
    """Train on the sample of sentiment analysis, read the verdict, deploy, ask."""
    with tempfile.TemporaryDirectory() as home:
        workspace = servery.Workspace.open(home)
        plan = servery.Plan("first", "sentiment-analysis", "sample", recipe="tfidf-linear")
        trained = servery.train(plan, workspace)
        print(trained.version.reference, "-", trained.evaluation.verdict)
        servery.deploy("first", workspace=workspace)
        model = servery.load("first@production", workspace)
        for text in ("slow and rude", "质量很好，下次还来"):
            print(text, "->", servery.answer_line(model(text)[0]))


if __name__ == "__main__":
    main()
