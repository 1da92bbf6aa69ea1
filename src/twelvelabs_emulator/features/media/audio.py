"""Sound as words: its loudness, pitch and steadiness."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import av
import numpy as np
import numpy.typing as npt

from ...protocol.models import Model
from ...protocol.settings import Settings
from ..words.text import Words
from ..words.weights import add, ramp
from .cancellation import check_halt
from .checks import check_size, refused
from .source import Source

__all__ = ["Sound", "changes", "check_duration", "decoded", "open_audio", "words_of_sound", "words_of_speech"]

RATE = 16_000
_WINDOW = 4096
_LONG_SEC = 120
_FORMATS = {"wav": "WAV", "mp3": "MP3", "flac": "FLAC"}
# An encoder rounds up to whole frames: 30 seconds of MP3 last a little longer.
TOLERANCE_SEC = 0.1


@dataclass(frozen=True)
class Sound:
    """Mono samples of 16 bits, ``RATE`` a second: two hours are 230 MB."""

    samples: npt.NDArray[np.int16]

    @classmethod
    def silence(cls, seconds: float) -> Sound:
        """Return so many seconds without a sound."""
        return cls(np.zeros(round(seconds * RATE), dtype=np.int16))

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.samples) / RATE

    def part(self, start: float, end: float) -> Sound:
        """Return the part between two times, in seconds."""
        return Sound(self.samples[round(start * RATE) : round(end * RATE)])

    def numbers(self) -> npt.NDArray[np.float64]:
        """Return the samples from -1 to 1; of a long sound, seconds spread over it instead of all."""
        samples = self.samples
        if self.duration > _LONG_SEC:
            starts = np.linspace(0, len(samples) - RATE, num=_LONG_SEC).astype(int)
            samples = np.concatenate([samples[start : start + RATE] for start in starts])
        return samples / 32768


def open_audio(source: Source, model: Model, settings: Settings) -> Sound:
    """Decode a sound file; raise the API's 400 or 413 for one it does not take."""
    # marengo3.5 limits every source of a synchronous request, 3.0 only what is sent inside it.
    if source.given_as == "base64_string" or model.limits_every_source:
        check_size(source, model.media_megabytes, model, settings)
    if not source.size:
        raise refused(source, "The file is empty.")
    try:
        with source.opened() as stream, av.open(stream, options={"protocol_whitelist": "none"}) as container:
            if container.format.name not in _FORMATS or not container.streams.audio:
                raise refused(source, f"The audio format must be one of: {', '.join(_FORMATS.values())}.")
            if container.duration is not None:
                check_duration(source, container.duration / av.time_base, model, settings, "audio")
            sound = decoded(container)
    except (av.error.FFmpegError, ValueError):
        raise refused(source, "The audio could not be read.") from None
    if not len(sound.samples):
        raise refused(source, "The audio has no content.")
    check_duration(source, sound.duration, model, settings, "audio")
    return sound


def check_duration(source: Source, duration: float, model: Model, settings: Settings, kind: str) -> None:
    """Raise the API's 400 (or as set for marengo3.5) if media are too long, or too short."""
    if duration < model.least_seconds - TOLERANCE_SEC:
        why = f"The {kind} must not be shorter than {model.least_seconds:g} seconds; it lasts {duration:.1f}."
        raise refused(source, why, code="video_duration_too_short" if kind == "video" else "parameter_invalid")
    if duration > model.media_seconds + TOLERANCE_SEC:
        raise refused(
            source,
            f"The {kind} must not be longer than {model.media_seconds:g} seconds; it lasts {duration:.1f}.",
            code="video_duration_too_long" if kind == "video" else "parameter_invalid",
            status=settings.too_long_media_status if model.limits_every_source else 400,
        )


def decoded(container: av.container.InputContainer) -> Sound:
    """Decode the first sound track. A broken frame in the middle is passed over, as players do."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    pieces: list[npt.NDArray[np.int16]] = []
    for packet in container.demux(container.streams.audio[0]):
        check_halt()
        try:
            for frame in packet.decode():
                pieces += [piece.to_ndarray()[0] for piece in resampler.resample(frame)]
        except av.error.InvalidDataError:
            continue
    pieces += [piece.to_ndarray()[0] for piece in resampler.resample(None)] if pieces else []
    return Sound(np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.int16))


def words_of_sound(sound: Sound) -> Words:
    """Measure a sound: loudness, pitch in three words and in semitones, noise, steadiness."""
    samples = sound.numbers()
    words: Words = {"sound": 0.35}
    power = float(np.mean(samples**2)) if len(samples) else 0.0
    level = 10 * math.log10(power + 1e-12)
    silent = ramp(level, -50, -60)
    add(words, "silent", silent)
    add(words, "quiet", 0.4 * ramp(level, -22, -28) * (1 - silent))
    add(words, "loud", 0.4 * ramp(level, -16, -10))
    if silent >= 1:
        return words
    audible = 1 - silent
    spectrum = _spectrum(samples)
    noise = _noisiness(spectrum)
    add(words, "hiss", audible * noise)
    for word, weight in _pitch(spectrum).items():
        add(words, word, audible * (1 - noise) * weight)
    for word, weight in _steadiness(samples).items():
        add(words, word, audible * weight)
    return words


def words_of_speech(sound: Sound) -> Words:
    """Stand in for a transcription: the emulator hears no words, only that there is a sound."""
    heard = {word: 0.3 * weight for word, weight in words_of_sound(sound).items()}
    return heard | {"speech": 1.0}


def changes(sound: Sound, start: float, end: float, shortest: float) -> list[tuple[float, float]]:
    """Cut a span where loudness or pitch changes at once; no piece is shorter than ``shortest`` seconds."""
    edges = [start]
    step = 0.5
    before: tuple[float, float] | None = None
    for number in range(int((end - start) / step)):
        check_halt()
        at = start + number * step
        samples = sound.part(at, at + step).numbers()
        level = 10 * math.log10(float(np.mean(samples**2)) + 1e-12)
        now = (level, _height(_spectrum(samples)) if level > -55 else math.nan)
        if before is not None and edges[-1] + shortest <= at <= end - shortest:
            louder, higher = abs(now[0] - before[0]), abs(now[1] - before[1])
            if louder > 12 or higher > 4:  # A comparison with nan, the pitch of silence, is false.
                edges.append(at)
        before = now
    return list(pairwise([*edges, end]))


def _spectrum(samples: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean power at each frequency, over up to 200 windows spread over the whole."""
    if len(samples) < _WINDOW:
        samples = np.pad(samples, (0, _WINDOW - len(samples)))
    count = min(200, max(2, 2 * len(samples) // _WINDOW))
    starts = np.unique(np.linspace(0, len(samples) - _WINDOW, num=count).astype(int))
    windows = np.stack([samples[start : start + _WINDOW] for start in starts]) * np.hanning(_WINDOW)
    power: npt.NDArray[np.float64] = (np.abs(np.fft.rfft(windows, axis=1)) ** 2).mean(axis=0)
    return power


def _noisiness(spectrum: npt.NDArray[np.float64]) -> float:
    """Spectral flatness: near 1 for noise, near 0 for a tone."""
    heard = spectrum[20:1500] + 1e-12  # about 80 Hz to 6 kHz: where lossy formats keep everything
    flatness = math.exp(float(np.log(heard).mean())) / float(heard.mean())
    return ramp(flatness, 0.2, 0.6)


def _shares(spectrum: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return how much of the power is at each frequency, and the frequencies in semitones."""
    frequencies = np.fft.rfftfreq(_WINDOW, 1 / RATE)
    # Below 40 Hz is hum and offset; weight by power, so that the strongest tones decide.
    power = np.where(frequencies >= 40, spectrum, 0.0)
    power = np.where(power >= 0.05 * power.max(), power, 0.0)
    return power / max(float(power.sum()), 1e-12), 69 + 12 * np.log2(np.maximum(frequencies, 1) / 440)


def _height(spectrum: npt.NDArray[np.float64]) -> float:
    share, semitones = _shares(spectrum)
    return float((share * semitones).sum())


def _pitch(spectrum: npt.NDArray[np.float64]) -> Words:
    share, semitones = _shares(spectrum)
    height = float((share * semitones).sum())
    low, high = ramp(height, 64, 60), ramp(height, 76, 80)  # about 300 and 700 Hz
    words: Words = {"low": low, "high": high, "middle": 1 - low - high}
    notes: dict[int, float] = {}
    for semitone, part in zip(semitones[share > 0], share[share > 0], strict=True):
        for note in range(math.floor(semitone) - 2, math.floor(semitone) + 4):
            notes[note] = notes.get(note, 0.0) + float(part) * math.exp(-((note - semitone) ** 2) / 2)
    return words | {f"~note:{note}": 0.3 * weight for note, weight in notes.items()}


def _steadiness(samples: npt.NDArray[np.float64]) -> Words:
    """Compare the loudness of every twentieth of a second."""
    step = RATE // 20
    count = len(samples) // step
    if count < 4:
        return {}
    levels = np.sqrt((samples[: count * step].reshape(count, step) ** 2).mean(axis=1))
    wavering = float(levels.std() / max(float(levels.mean()), 1e-9))
    return {"steady": 0.25 * ramp(wavering, 0.3, 0.1), "beating": 0.25 * ramp(wavering, 0.25, 0.5)}
