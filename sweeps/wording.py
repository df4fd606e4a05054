"""Numbers as people read them, in the terminal and in MLflow."""

from sweeps.claims import Verdict


def duration(seconds: float | None) -> str:
    """A duration in s as "42 s", "3:05 min" or "1:02:03"; "—" while unknown."""
    if seconds is None:
        return "—"
    whole = round(max(0.0, seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02} min"


def counted(number: int, noun: str) -> str:
    """A number with its noun: "1 trial", "3 trials"."""
    return f"{number} {noun}{'s' * (number != 1)}"


def short_number(value: float | None) -> str:
    """Three significant digits in at most five characters for 0.001 to 999,999; "—" where there is none."""
    if value is None:
        return "—"
    size = abs(value)
    if size >= 9_995:
        return f"{value / 1000:.0f}k"
    for limit, digits in ((99.95, 0), (9.995, 1), (0.9995, 2)):
        if size >= limit:
            return f"{value:.{digits}f}"
    return f"{value:.3f}"


def level_text(level: float | None) -> str:
    """The level of an interval in as many digits as tell it from 1: "95 %", "99.4 %"; "" without one."""
    if level is None:
        return ""
    percent = 100 * level
    return (
        f"{percent:.0f} %" if round(percent, 1) == round(percent) < 100 else f"{percent:.{_digits(100 - percent)}f} %"
    )


def p_text(p_value: float | None) -> str:
    """A p value in two digits: "0.031", "< 0.001"; "—" without one."""
    if p_value is None:
        return "—"
    return "< 0.001" if p_value < 0.001 else f"{p_value:.2g}"


def _digits(rest: float) -> int:
    """Decimals that show a number below 10 in one digit."""
    return next((digits for digits in range(1, 6) if rest >= 10**-digits), 6)


def effect_text(verdict: Verdict) -> str:
    """Effect and interval: "1.23 [0.98, 1.48]", or "—"; `level_text` says which interval it is."""
    if verdict.effect is None:
        return "—"
    interval = "" if verdict.low is None or verdict.high is None else f" [{verdict.low:.3g}, {verdict.high:.3g}]"
    return f"{verdict.effect:.3g}{interval}"
