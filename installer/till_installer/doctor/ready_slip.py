"""The certificate on paper. Pure."""

from till_drivers.blocks import Cut, Pair, Rule, Text
from till_installer.doctor.certificate import Certificate, Step
from till_installer.doctor.ready_details import fix_of, found_of
from till_installer.doctor.ready_words import Words, words_of

NoteBlock = Text | Pair | Rule | Cut
FOUND_LIMIT = 160
"""Letters of what was found: four lines of paper."""


def certificate_blocks(certificate: Certificate) -> list[NoteBlock]:
    """The slip, in the certificate's language."""
    words = words_of(certificate.language)
    blocks: list[NoteBlock] = [
        Text(text="TILLSIDE", align="center"),
        Text(text=words.ready if certificate.ready else words.not_ready, align="center", double=True),
        Rule(),
        Pair(left=words.till, right=certificate.till or "?"),
        Pair(left=words.store, right=f"{certificate.store} {certificate.store_name}".strip() or "?"),
        Pair(left=words.made, right=certificate.at),
    ]
    if certificate.ready:
        blocks.append(Pair(left=words.valid_until, right=certificate.valid_until, bold=True))
    blocks += [Pair(left=words.version, right=certificate.version), Rule()]
    blocks += [_line(each, words) for each in certificate.steps]
    if certificate.reasons:
        blocks += [Rule(), Text(text=f"{words.because}:", bold=True)]
        for each in certificate.reasons:
            blocks += _reason(each, words, certificate.language)
        blocks.append(Text(text=words.call))
    blocks += [Rule(), Pair(left=words.number, right=certificate.number), Cut()]
    return blocks


def mark(step: Step, words: Words) -> str:
    """State of a line, in a word."""
    return {"good": "OK", "bad": "!!!", "noted": words.noted, "skipped": words.skipped}[step.state]


def _line(step: Step, words: Words) -> Pair:
    return Pair(left=words.steps[step.name], right=mark(step, words), separator=".", bold=step.state == "bad")


def _reason(step: Step, words: Words, language: str) -> list[NoteBlock]:
    found = found_of(step, language)
    found = found if len(found) <= FOUND_LIMIT else found[:FOUND_LIMIT] + "..."
    codes = f" ({', '.join(step.codes)})" if step.codes else ""
    blocks: list[NoteBlock] = [Text(text=f"{words.steps[step.name]}{codes}", bold=True)]
    if found:
        blocks.append(Text(text=found))
    if fix := fix_of(step, language):
        blocks.append(Text(text=f"-> {fix}"))
    return blocks
