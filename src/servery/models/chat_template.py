"""How the messages of a conversation become the prompt a model was taught: its own template, in a sandbox."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, NoReturn

from jinja2 import Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from servery.errors import ArtifactError, InputError

Message = Mapping[str, Any]
"""At least `role` and `content`, both texts."""

PLAIN_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)
"""Of models that bring none: a line a message."""
MAX_TEMPLATE_CHARACTERS = 2**20


class ChatTemplate:
    r"""A Jinja template in the dialect of the Hugging Face layout; it can reach nothing outside of it.

    Args:
        source: The template; None for a plain one.
        marks: Texts of the special tokens by their names there, e.g. `bos_token`.

    >>> ChatTemplate(None, {}).prompt([{"role": "user", "content": "Hello"}])
    'user: Hello\nassistant:'
    """

    def __init__(self, source: str | None, marks: Mapping[str, str]) -> None:
        self.source = source
        self._marks = dict(marks)

    @cached_property
    def _template(self) -> Template:
        source = PLAIN_TEMPLATE if self.source is None else self.source
        if len(source) > MAX_TEMPLATE_CHARACTERS:
            raise ArtifactError(f"The chat template has more than {MAX_TEMPLATE_CHARACTERS:,} characters.")
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
        try:
            return environment.from_string(source)
        except TemplateError as error:
            raise ArtifactError(f"The chat template cannot be read: {error}.") from error

    def prompt(self, messages: Sequence[Message]) -> str:
        """Return the text that ends where the assistant's answer begins.

        Raises:
            InputError: The template refuses these messages, e.g. two of the user's in a row.
            ArtifactError: It is none.
        """
        try:
            return self._template.render(
                messages=list(messages), add_generation_prompt=True, tools=None, documents=None, **self._marks
            )
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            raise InputError(
                f"This model's chat template refuses the messages: {str(error)[:300]}.", param="messages"
            ) from error


def _to_json(value: Any, indent: int | None = None, **more: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)
