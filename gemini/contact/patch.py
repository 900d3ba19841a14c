"""What to change in gemini/profiles.py, from the verdicts of a first contact. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from gemini.contact.claims import OF_PROFILE, Verdict
from gemini.profiles import Profile


def patch(verdicts: Sequence[Verdict], profile: Profile, model: str, today: str) -> str:
    """The entries that differ, as they would stand in the profile; empty where none does."""
    wrong = [one for one in verdicts if one.about.startswith(OF_PROFILE) and one.state == "differs"]
    if not wrong:
        return ""
    source = f"vivavoce doctor --google, {model}, {today}"
    lines = [f"# gemini/profiles.py, family {profile.family or '(unknown)'}: what {model} did on {today}"]
    for one in wrong:
        entry = one.about.removeprefix(OF_PROFILE)
        lines.append(f'{entry}=Fact({one.seen!r}, "reported", {source!r}),  # was {one.expected!r}')
    return "\n".join(lines) + "\n"
