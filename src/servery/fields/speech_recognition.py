"""Speech recognition: what is said in a recording, and which command it is."""

from __future__ import annotations

from servery.fields._field import Field
from servery.fields.offers.speech_recognition_commands import OFFER as COMMANDS
from servery.fields.offers.speech_recognition_transcription import OFFER as TRANSCRIPTION

FIELD = Field(
    name="speech-recognition",
    title={"en": "Speech recognition", "zh": "语音识别"},
    summary={
        "en": "Says which command or intent is spoken in a recording, or writes down what is said, word by word.",
        "zh": "判断录音里说的是哪一条命令、哪一种意图，或逐字写出说的话。",
    },
    offers=(COMMANDS, TRANSCRIPTION),
    limits_of_use=(
        "Knows the words, voices and microphones of its training recordings only and hears one of its own words in "
        "any other. Not for telling who speaks, not for listening in without consent, and not for orders whose mistake "
        "could hurt someone without a person's confirmation."
    ),
)
