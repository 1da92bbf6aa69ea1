"""Audio as words: loudness, pitch, noise and steadiness. Samples are mono, from -1 to 1, 16,000 per second."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from .weights import KIND_WEIGHT, Words, add_weight, ramp

_RATE = 16_000
_WINDOW = 4096

Samples = npt.NDArray[np.float64]


def audio_words(samples: Samples) -> Words:
    """Describe audio: loudness, pitch in three words and in semitones, noise, steadiness."""
    words: Words = {"audio": KIND_WEIGHT}
    level = loudness(samples)
    silent = ramp(level, -50, -60)
    add_weight(words, "silent", silent)
    add_weight(words, "quiet", 0.4 * ramp(level, -22, -28) * (1 - silent))
    add_weight(words, "loud", 0.4 * ramp(level, -16, -10))
    if silent >= 1:
        return words
    audible = 1 - silent
    spectrum = _spectrum(samples)
    noise = _noisiness(spectrum)
    add_weight(words, "hiss", audible * noise)
    for word, weight in _pitch_words(spectrum).items():
        add_weight(words, word, audible * (1 - noise) * weight)
    for word, weight in _steadiness_words(samples).items():
        add_weight(words, word, audible * weight)
    return words


def speech_words(samples: Samples) -> Words:
    """Describe audio as if it were speech, in place of a transcription: no speech is recognised."""
    return {word: 0.3 * weight for word, weight in audio_words(samples).items()} | {"speech": 1.0}


def loudness(samples: Samples) -> float:
    """Return the mean power in dB of full scale; -120 for silence."""
    power = float(np.mean(samples**2)) if len(samples) else 0.0
    return 10 * math.log10(power + 1e-12)


def pitch(samples: Samples) -> float:
    """Return the mean pitch in semitones, 69 = 440 Hz."""
    shares, semitones = _power_by_semitone(_spectrum(samples))
    return float((shares * semitones).sum())


def _spectrum(samples: Samples) -> Samples:
    """Return the mean power at each frequency, over up to 200 windows spread over the whole."""
    if len(samples) < _WINDOW:
        samples = np.pad(samples, (0, _WINDOW - len(samples)))
    count = min(200, max(2, 2 * len(samples) // _WINDOW))
    starts = np.unique(np.linspace(0, len(samples) - _WINDOW, num=count).astype(int))
    windows = np.stack([samples[start : start + _WINDOW] for start in starts]) * np.hanning(_WINDOW)
    power: Samples = (np.abs(np.fft.rfft(windows, axis=1)) ** 2).mean(axis=0)
    return power


def _noisiness(spectrum: Samples) -> float:
    """Return the spectral flatness: near 1 for noise, near 0 for a tone."""
    power = spectrum[20:1500] + 1e-12  # About 80 Hz to 6 kHz: where lossy formats keep everything.
    flatness = math.exp(float(np.log(power).mean())) / float(power.mean())
    return ramp(flatness, 0.2, 0.6)


def _power_by_semitone(spectrum: Samples) -> tuple[Samples, Samples]:
    """Return the share of the power at each frequency, and the frequencies in semitones."""
    frequencies = np.fft.rfftfreq(_WINDOW, 1 / _RATE)
    # Below 40 Hz is hum and offset; weak frequencies are left out, so that the strongest tones decide.
    power = np.where(frequencies >= 40, spectrum, 0.0)
    power = np.where(power >= 0.05 * power.max(), power, 0.0)
    return power / max(float(power.sum()), 1e-12), 69 + 12 * np.log2(np.maximum(frequencies, 1) / 440)


def _pitch_words(spectrum: Samples) -> Words:
    shares, semitones = _power_by_semitone(spectrum)
    height = float((shares * semitones).sum())
    low, high = ramp(height, 64, 60), ramp(height, 76, 80)  # About 300 and 700 Hz.
    words: Words = {"low": low, "high": high, "middle": 1 - low - high}
    notes: dict[int, float] = {}
    for semitone, share in zip(semitones[shares > 0], shares[shares > 0], strict=True):
        for note in range(math.floor(semitone) - 2, math.floor(semitone) + 4):
            notes[note] = notes.get(note, 0.0) + float(share) * math.exp(-((note - semitone) ** 2) / 2)
    return words | {f"~note:{note}": 0.3 * weight for note, weight in notes.items()}


def _steadiness_words(samples: Samples) -> Words:
    """Compare the loudness of every twentieth of a second."""
    step = _RATE // 20
    count = len(samples) // step
    if count < 4:
        return {}
    levels = np.sqrt((samples[: count * step].reshape(count, step) ** 2).mean(axis=1))
    variation = float(levels.std() / max(float(levels.mean()), 1e-9))
    return {"steady": 0.25 * ramp(variation, 0.3, 0.1), "beating": 0.25 * ramp(variation, 0.25, 0.5)}
