"""Asking all questions, and comparing what was found with the emulator's settings."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..protocol.settings import Settings
from .questions import DOCUMENTED, Question
from .service import NotAnswered, Service, Stopped


@dataclass
class Outcome:
    """What is known: the value of each setting that was found, why others were not, and why the rest was not asked."""

    found: dict[str, Any] = field(default_factory=dict)
    unanswered: dict[str, str] = field(default_factory=dict)
    stopped: str | None = None


def ask_all(service: Service, questions: Sequence[Question], said: Callable[[str], None]) -> Outcome:
    """Ask every question, until the budget or the account's limit is used up, or Ctrl-C."""
    outcome = Outcome()
    try:
        for question in questions:
            said(f"{', '.join(question.settings)} …")
            try:
                outcome.found |= question.find(service)
                unseen = [name for name in question.settings if name not in outcome.found]
                outcome.unanswered |= dict.fromkeys(unseen, "not seen")
            except NotAnswered as error:
                outcome.unanswered |= dict.fromkeys(question.settings, str(error))
            except (KeyError, IndexError, TypeError, ValueError, AttributeError):
                outcome.unanswered |= dict.fromkeys(question.settings, "the answer has another form")
    except Stopped as error:
        outcome.stopped = str(error)
    except KeyboardInterrupt:
        outcome.stopped = "interrupted"
    return outcome


def differences(outcome: Outcome, settings: Settings) -> dict[str, Any]:
    """Return what was found to be different from these settings."""
    return {name: value for name, value in outcome.found.items() if value != getattr(settings, name)}


def as_settings(outcome: Outcome) -> str:
    """Return what was found as JSON, for ``python -m twelvelabs_emulator --settings``."""
    return json.dumps(outcome.found, indent=2) + "\n"


def as_table(outcome: Outcome, questions: Sequence[Question], settings: Settings, service: Service) -> str:
    """Return a table in Markdown: what is documented, what the emulator does, what the service does."""
    lines = ["| setting | documented | emulator | real | |", "|---|---|---|---|---|"]
    for question in questions:
        for name in question.settings:
            ours = getattr(settings, name)
            real = f"`{outcome.found[name]!r}`" if name in outcome.found else outcome.unanswered.get(name, "not asked")
            differs = "differs" if name in differences(outcome, settings) else ""
            lines.append(f"| `{name}` | {DOCUMENTED.get(name, 'no')} | `{ours!r}` | {real} | {differs} |")
    lines += ["", f"{service.requests} requests, {service.media_sec:g} seconds of media."]
    if service.left:
        lines.append(f"Could not be deleted, and is on the account still: asset {', '.join(service.left)}.")
    if outcome.stopped is not None:
        lines.append(f"Stopped before the end: {outcome.stopped}.")
    return "\n".join(lines) + "\n"
