"""Which files may hold one of the ten sounds, by the words of their names.

Nobody has listened to the thousands of effects of game packages, so their names decide, and they
decide for leaving out: a lost negative costs little, a bark that is called background costs a class.
Words are found in English names only, and in names that say what is heard: a source whose files are
numbered is not for effects.
"""

from __future__ import annotations

import re

WORDS: dict[str, str] = {
    "dog": (
        r"dogs?|doggy|puppy|puppies|hounds?|bulldog|hotdog|dogmatix|wolf|wolves|werewolf|bark(s|ing|ed|growl)?"
        r"|bark\d*|howl(s|ing)?|growl(s|ing)?|snarl(s|ing)?|coyote|jackal|fox(es)?|woof|yelp|kennel|warg"
    ),
    "rain": (
        r"rain(s|y|ing|fall|forest|drops?|storm)?|storm(s|y)?|\w*storm\w*|thunder\w*|drizzle|showers?|hail"
        r"|watr|weather|monsoon|tempest|downpour|umbrella|\w*water\w*|splash\w*|fountain|waterfontain|stream|river"
        r"|brook|creek|lake|\w*lake|geyser|flood|swim(s|ming)?|drown(s|ing)?|puddle"
    ),
    "sea_waves": (
        r"seas?|seashore|oceans?|oceanwaves|wave|waves|beach|surf|coast|shore|harbou?r|seaport|seagulls?|gulls?|dock"
        r"|docks|port|boats?|ships?|sail(s|ing|or)?|submarine|underwater|naval|marina|tide|swamp|lagoon|island"
    ),
    "crying_baby": (
        r"bab(y|ies)|infants?|newborn|toddler|cry|cries|crying|cried|weep(s|ing)?|sob(s|bing)?|child"
    ),
    "clock_tick": (
        r"\w*clock\w*|(?!\w*stick)\w*tick(s|ing|tock)?|tock|watch|stopwatch|timers?|countdown|metronome"
        r"|pendulum"
    ),
    "sneezing": r"sneez\w*|achoo|atchoo|sniff\w*|hatschi",
    "helicopter": (
        r"heli|helis|helicopter\w*|chopper\w*|\w*copter|rotor\w*|propel\w*|apache|gunship|airship|quadrocopter"
    ),
    "chainsaw": r"\w*chainsaw\w*|saw|saws|sawing|\w*sawmill|buzzsaw|benchsaw|mill|lumber\w*|timber|mower",
    "rooster": (
        r"\w*rooster\w*|cock|cocks|cockerel|hens?|chick(s|en|ens)?|poultry|\w*farm\w*|barn|village|turkey"
    ),
    "crackling_fire": (
        r"fire|fires|fire\w*|bonfire|campfire|wildfire|flame\w*|burn\w*|crackl\w*|camp|camps|torch(es)?|blaze"
        r"|embers?|inferno|molotov|napalm|hearth|fireplace|furnace|stove|smolder|fuse|fuze|ignit\w*|hell"
        r"|smallfire|\w*fire|gunpowder|fry|frying|sizzl\w*|lava|volcano"
    ),
}
"""For each class the words that keep a file out, as regular expressions for a whole lower-case word."""

_PATTERNS = {slug: re.compile(words) for slug, words in WORDS.items()}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def words_of(name: str) -> list[str]:
    """Return the words of a file name in lower case: "RailTrain2-loop" gives rail, train, loop."""
    return [word.lower() for word in _WORD.findall(name)]


def class_in_name(path: str) -> str | None:
    """Return why a file may hold one of the ten sounds, "slug: word", or None.

    Parameters
    ----------
    path : str
        Folders and file name inside its package; each of their words counts.
    """
    for word in words_of(path):
        for slug, pattern in _PATTERNS.items():
            if pattern.fullmatch(word):
                return f"{slug}: {word}"
    return None
