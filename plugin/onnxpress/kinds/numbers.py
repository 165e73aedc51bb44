"""Numbers: nobody hands any over yet, so a run gets the random numbers of the golden check."""

from .base import Kind, Words

KIND = Kind("numbers", Words(
    one="list of numbers",
    many="lists of numbers",
    empty="This model takes numbers, not pictures; run it to see what comes out.",
    promise="The numbers of a run never leave your browser. The model comes to you, and nothing is "
            "sent.",
))
