"""Chat templates: as models bring them, and as attackers would."""

from __future__ import annotations

import pytest

from servery.errors import ArtifactError, InputError
from servery.models.chat_template import MAX_TEMPLATE_CHARACTERS, ChatTemplate

HELLO = [{"role": "user", "content": "Hello"}]


def test_marks_and_helpers_of_the_layout_are_there() -> None:
    source = "{{ bos_token }}{% for m in messages %}{{ m | tojson }}{% endfor %}{{ strftime_now('%Y')[:2] }}"
    assert (
        ChatTemplate(source, {"bos_token": "<s>"}).prompt(HELLO)
        == '<s>{"role": "user", "content": "Hello"}20'
    )


def test_what_a_template_refuses_is_told_to_the_client() -> None:
    source = "{{ raise_exception('roles must alternate') }}"
    with pytest.raises(InputError, match="roles must alternate"):
        ChatTemplate(source, {}).prompt(HELLO)


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append('x') }}",
        "{{ messages[0].update(role='system') }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ raise_exception.__globals__['json'] }}",
        "{{ strftime_now.__globals__.items() }}",
        "{% for x in range(999999999) %}{% endfor %}",
        "{% include '/etc/passwd' %}",
        "{{ messages[5]['role'] }}",
        "{{ 1 / 0 }}",
        "{{ nothing.at.all }}",
    ],
)
def test_a_template_reaches_nothing_outside_of_it(source: str) -> None:
    with pytest.raises(InputError):
        ChatTemplate(source, {}).prompt(HELLO)


def test_messages_stay_as_they_were() -> None:
    messages = [{"role": "user", "content": "Hello"}]
    ChatTemplate("{% set messages = messages[1:] %}{{ messages }}", {}).prompt(messages)
    assert messages == HELLO


@pytest.mark.parametrize("source", ["{% for %}", "{{ x", "x" * (MAX_TEMPLATE_CHARACTERS + 1)])
def test_a_torn_or_endless_template_is_refused(source: str) -> None:
    with pytest.raises(ArtifactError):
        ChatTemplate(source, {}).prompt(HELLO)
