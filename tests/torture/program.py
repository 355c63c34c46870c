"""Programs: lists of steps, random by a seed, and their text.

A step is a word and its arguments, one step a line.  Any list of steps is a
program: what is impossible where it stands (to reopen a log whose writer has it
open already) does nothing.  So a program that fails can be made shorter by
leaving steps out.
"""

import random

# What is followed: a.log, *.log, a.log* with its rotated names, a.log and b.log.
LAYOUTS = {"path": "a", "glob": "ab", "rotated": "a", "pair": "ab"}

# How often each is drawn.  The arguments: %n lines, %p percent, %ms, %log.
STEPS = (
    (16, "write %log %n %chunks"),
    (6, "old %log %n"),
    (6, "part %log %p"),
    (4, "finish %log"),
    (8, "rotate %log %create"),
    (8, "reopen %log %keep"),
    (6, "turn %log %keep"),
    (8, "copy %log %preserve"),
    (1, "copy-late %log %n"),
    (3, "delete %log"),
    (6, "gzip %log %i"),
    (2, "drop %log"),
    (2, "truncate %log"),
    (2, "trim %log"),
    (16, "scrape"),
    (2, "ask"),
    (2, "nap %ms"),
    (4, "pause"),
    (6, "resume"),
    (8, "kill %ms"),
    (3, "stop"),
    (9, "start"),
    (2, "start-kill %ms"),
    (2, "reload %reload"),
    (2, "full"),
    (1, "away"),
    (3, "repair"),
)

# What a program is mostly about: these are drawn so many times as often.
MOODS = (
    {},
    {"copy": 4, "rotate": 0, "turn": 0, "delete": 0},
    {"copy": 0, "copy-late": 0, "truncate": 0, "trim": 0},
    {"turn": 3, "rotate": 2, "reopen": 3, "old": 3, "part": 2, "copy": 0},
    {"kill": 3, "start": 3, "start-kill": 3},
    {"start": 0.3, "gzip": 2, "turn": 3},
    {"pause": 3, "resume": 0.7},
    {"full": 6, "repair": 1},
)


def setup(rng, layout):
    return "setup {} {} {} {}".format(
        layout,
        rng.choice(("shift", "shift", "dateext")),
        rng.choice(("end", "end", "beginning")),
        rng.choice((0, 0, 3)),
    )


def argument(rng, word, logs):
    match word:
        case "%log":
            return rng.choice(logs)
        case "%n":
            return str(rng.choice((1, 2, 3, 5, 8, 30)))
        case "%chunks":
            return str(rng.choice((1, 1, 1, 2, 5)))
        case "%p":
            return str(rng.randrange(100))
        case "%i":
            return str(rng.choice((1, 1, 1, 2, 3)))
        case "%ms":
            return str(rng.choice((0, 0, 1, 2, 5, 10, 20)))
        case "%create":
            return rng.choice(("create", "nocreate"))
        case "%keep":
            return rng.choice(("keep", "close"))
        case "%preserve":
            return rng.choice(("preserve", "fresh"))
        case "%reload":
            return rng.choice(("same", "extra", "broken"))
    return word


def generate(seed):
    """The program of a seed: a list of lines."""
    rng = random.Random(seed)
    mood = rng.choice(MOODS)
    weights = [w * mood.get(text.split()[0], 1) for w, text in STEPS]
    texts = [text for _, text in STEPS]
    layout = rng.choice(("path", "path", "glob", "rotated", "pair"))
    logs = LAYOUTS[layout]
    program = [setup(rng, layout)]
    for text in rng.choices(texts, weights, k=rng.randrange(5, 45)):
        program.append(" ".join(argument(rng, word, logs) for word in text.split()))
    return program


def parse(text):
    """The lines of a program without comments and what is empty."""
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    return [line for line in lines if line]
