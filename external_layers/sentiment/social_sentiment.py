"""Social and news: tokens that are suddenly spoken of, and how."""

from math import isnan
from typing import Final

from external_layers.anchors import FULL, NEUTRAL, Curve, directional
from external_layers.evidence import Evidence, unknown
from external_layers.sentiment import words
from external_layers.sentiment.hourly import Voice
from external_layers.sentiment.inputs import BTC, Inputs, Moment
from external_layers.sentiment.readings import Known
from external_layers.sentiment.trend import Candles15m, below_high_pct, fallen_atrs
from external_layers.sources.facts import MARKET, NEWS_TONE
from scalp_strategy.contract import MARKET_WIDE
from scalp_strategy.setting_groups.sentiment import SentimentSettings

_MS_PER_S: Final = 1_000


def social_sentiment(inputs: Inputs, moment: Moment) -> dict[str, Evidence]:
    """Return what is said of the market and of each pair's token.

    A token of which nothing unusual is told takes what is told of the market.
    """
    market = _market_evidence(inputs, moment)
    by_token = {
        token: _either(_token_evidence(token, inputs, moment), market)
        for token in set(moment.pairs.values())
    }
    return {MARKET_WIDE: market} | {pair: by_token[token] for pair, token in moment.pairs.items()}


def spike_scores(
    tone: float, candles: Candles15m, at_ms: int, settings: SentimentSettings
) -> tuple[float, float, str]:
    """Return support for long and short of a spike of mentions, and what it is taken for.

    Good news: 75, but 55 when the price is at its high of the day already, or nobody knows. Bad
    news: 80 after a fall of more than two ATRs in four hours, else 20 for a long and 85 for a
    short. A tone that is neither, or unknown, says nothing.

    Parameters
    ----------
    tone
        -1..1, NaN = unknown.
    candles
        The token's closed 15m candles.
    at_ms
        Now, epoch milliseconds.
    settings
        Scores and thresholds.
    """
    good = settings.social_tone[0]
    if tone >= good:
        below = below_high_pct(candles, at_ms, settings.social_high_s, settings.candles_min_share)
        if below > settings.social_high_pct:
            return (*directional(settings.social_positive_score), "good news")
        late = directional(settings.social_high_score)
        why = "price unknown" if isnan(below) else "price at its high"
        return (*late, f"good news, {why}: could be distribution")
    if tone <= -good:
        if fallen_atrs(candles, at_ms, settings.capitulation_s) > settings.capitulation_atr:
            return (*directional(settings.social_capitulation_score), "capitulation")
        return (*settings.social_negative_scores, "viral bad news")
    return NEUTRAL, NEUTRAL, ""


def tone_scores(tone: float, settings: SentimentSettings) -> tuple[float, float]:
    """Return support for long and short from the tone of the press alone.

    50 up to a tone that counts, `social_tone_score` at a fully good one, mirrored for a bad one.
    """
    good, full = settings.social_tone
    support = Curve((good, full), (NEUTRAL, settings.social_tone_score))(abs(tone))
    return directional(support if tone >= 0.0 else FULL - support)


def _token_evidence(token: str, inputs: Inputs, moment: Moment) -> Evidence:
    voices = _voices(token, inputs, moment.at_ms)
    if not voices:
        return unknown()
    loudest = max(voices, key=lambda voice: voice.ratio)
    settings = inputs.settings.sentiment
    if loudest.ratio > settings.social_spike_ratio:
        tone = _tone(token, voices, inputs)
        candles = moment.candles_of(BTC if token == MARKET else token)
        long, short, meaning = spike_scores(tone, candles, moment.at_ms, settings)
        return Evidence(
            long, short, _spike_reason(token, loudest, meaning, tone), loudest.observed_ms
        )
    growing = [voice for voice in voices if voice.is_growing]
    if growing and not _tone(token, growing, inputs) <= -settings.social_tone[0]:
        reason = f"{words.subject(token)} is spoken of ever more ({growing[0].name})"
        long, short = directional(settings.social_growing_score)
        return Evidence(long, short, reason, growing[0].observed_ms)
    return Evidence(NEUTRAL, NEUTRAL, "", max(voice.observed_ms for voice in voices))


def _voices(token: str, inputs: Inputs, at_ms: int) -> list[Voice]:
    news = inputs.stories.voice(token, at_ms)
    return inputs.mentions.voices(token, at_ms) + ([news] if news else [])


def _tone(token: str, voices: list[Voice], inputs: Inputs) -> float:
    # That of the loudest that has one; a platform may count without reading, the press then says.
    ranked = sorted(voices, key=lambda voice: voice.ratio, reverse=True)
    told = [voice.tone for voice in ranked if not isnan(voice.tone)]
    return told[0] if told else inputs.stories.tone(token, ranked[0].observed_ms)


def _spike_reason(token: str, voice: Voice, meaning: str, tone: float) -> str:
    if not meaning:
        return ""
    often = f"{words.subject(token)} named {voice.ratio:.1f}x as often as usual ({voice.name})"
    return f"{often}, tone {words.signed(tone, 2)}: {meaning}"


def _market_evidence(inputs: Inputs, moment: Moment) -> Evidence:
    # Sudden news first, else how the press sounds, else that nothing unusual is said.
    own = _token_evidence(MARKET, inputs, moment)
    press = _press(inputs, moment.at_ms)
    if press is None:
        return own
    scores = tone_scores(press.value, inputs.settings.sentiment)
    reason = f"Tone of the news {words.signed(press.value, 2)}" if scores[0] != NEUTRAL else ""
    return _either(own, Evidence(*scores, reason, press.observed_ms))


def _press(inputs: Inputs, at_ms: int) -> Known | None:
    newest = inputs.readings.freshest(NEWS_TONE, lambda history: history.newest(at_ms))
    limit_ms = inputs.settings.sentiment.social_freshness_s[-1] * _MS_PER_S
    return newest if newest and at_ms - newest.observed_ms < limit_ms else None


def _either(own: Evidence, other: Evidence) -> Evidence:
    # The first that says something, else the first that is known; of two silences the newer.
    if own.is_known and own.strength > 0.0:
        return own
    if other.is_known and (other.strength > 0.0 or not own.is_known):
        return other
    if other.is_known and other.observed_ms > own.observed_ms:
        return other
    return own
