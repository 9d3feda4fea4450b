"""The pages that a browser gets for Challenge and Captcha, and the answers to the calls that these pages make.

No I/O but what :class:`Spent` does: the request in, an answer out; randomness and counters are arguments.
"""

from __future__ import annotations

from garrison.edge.interstitial.answers import answer
from garrison.edge.interstitial.pages import PREFIX, page
from garrison.edge.interstitial.pictures import can_draw
from garrison.edge.interstitial.puzzles import Work
from garrison.edge.interstitial.site import Site
from garrison.edge.interstitial.spent import Spent, SpentHere, SpentTogether

__all__ = ["PREFIX", "Site", "Spent", "SpentHere", "SpentTogether", "Work", "answer", "can_draw", "page"]
