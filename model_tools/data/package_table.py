"""Debian packages with sound of none of the classes: what is in them and what it is used for.

A package belongs to one part, so that what a network learnt from is never what it is measured on.
Where a copyright file is free text, its package-wide licence is stated here as it was read there.
"""

from __future__ import annotations

from dataclasses import dataclass

from model_tools.data.clip import Kind, Part


@dataclass(frozen=True)
class Source:
    """Files of one kind in a package.

    Attributes
    ----------
    package : str
        Name of the Debian package.
    part : str
        What it is used for.
    kind : str
        What the files are.
    only : tuple of str
        Shell patterns of paths in the package, one of which a file must match; `*` matches `/` too.
    without : tuple of str
        Words of path or name that exclude a file, besides those of `screening`.
    licence : str
        Stated licence where the copyright file is not machine-readable or does not fit the paths.
    """

    package: str
    part: Part
    kind: Kind
    only: tuple[str, ...] = ("*",)
    without: tuple[str, ...] = ()
    licence: str = ""


_GPL2, _GPL2_LATER = "GPL-2.0-only", "GPL-2.0-or-later"
_BY, _BY_SA = "CC-BY-3.0", "CC-BY-SA-3.0"
_SILENCE = ("silence",)

TRAINING = (
    Source("0ad-data", "training", "music", ("*/music/*",)),
    Source("0ad-data", "training", "speech", ("*/voice/*",)),
    Source("0ad-data", "training", "ambience", ("*/ambient/*",)),
    Source("0ad-data", "training", "effects"),
    Source("hedgewars-data", "training", "music", ("*/Music/*",)),
    Source("hedgewars-data", "training", "speech", ("*/voices/*",)),
    Source("hedgewars-data", "training", "effects", ("*/Data/Sounds/*",), ("voices", "steam", "sheep")),
    Source("colobot-common-sounds", "training", "music", ("*/music/*",)),
    Source("asterisk-moh-opsound-wav", "training", "music", licence=_BY_SA),
    Source("asterisk-core-sounds-en-wav", "training", "speech", without=_SILENCE, licence=_BY_SA),
    Source("asterisk-core-sounds-es-wav", "training", "speech", without=_SILENCE, licence=_BY_SA),
    Source("asterisk-prompt-fr-armelle", "training", "speech", without=_SILENCE, licence="BSD-style"),
    Source("asterisk-prompt-es-co", "training", "speech", without=_SILENCE, licence=_GPL2),
    Source("klettres-data", "training", "speech"),
    Source("tuxpaint-stamps-default", "training", "speech", ("*_desc_be.*", "*_desc_ca.*", "*_desc_el.*")),
    Source(
        "tuxpaint-stamps-default",
        "training",
        "effects",
        ("*/stamps/*",),
        ("desc", "math", "alphabets", "hanukkah", "aquatic", "naturalforces"),
    ),
    Source("alsa-utils", "training", "speech"),
    Source("qabcs-data", "training", "effects", ("*/noises/*",), ("doll", "gamekeeper")),
    Source("qabcs-data", "training", "speech", ("*/words/*", "*/alpha/*")),
    Source("wesnoth-1.16-data", "training", "ambience", ("*/ambient/*",), ("morning",), _GPL2_LATER),
    Source("wesnoth-1.16-data", "training", "effects", without=("ambient",), licence=_GPL2_LATER),
    Source("lincity-ng-data", "training", "music", ("*/music/*",)),
    Source(
        "lincity-ng-data",
        "training",
        "effects",
        ("*/sounds/*",),
        (
            *("residential", "parkland", "shanty", "commune", "green", "wasteland", "track", "wind"),
            *("health", "university"),
        ),
    ),
    Source("scorched3d-data", "training", "music", ("*/music/*",)),
    Source(
        "scorched3d-data", "training", "effects", ("*/wav/*",), ("citysounds", "lightningbolt", "lightning")
    ),
    Source("minetest-data", "training", "effects"),
    Source("sonic-pi-samples", "training", "effects", without=("buffers", "sauna")),
    Source("gamine-data", "training", "effects", without=("bach", "tri")),
    Source("micropolis-data", "training", "effects", without=("park", "airport")),
    Source("bucklespring-data", "training", "effects"),
    Source("lugaru-data", "training", "effects", without=("music", "desert")),
    Source("lugaru-data", "training", "music", ("*/Music*",)),
    Source("endless-sky-data", "training", "effects"),
    Source("brainparty-data", "training", "music", ("*/electricity*",)),
    Source("brainparty-data", "training", "effects"),
    Source("caveexpress-data", "training", "effects", without=("music", "cave1.ogg", "cave2.ogg")),
    Source("bzflag-data", "training", "effects"),
    Source("simutrans-pak64", "training", "effects", without=("cutting", "forest", "tropic")),
    Source("heroes-sound-effects", "training", "effects"),
    Source("hydrogen-data", "training", "effects", ("*/drumkits/*",)),
    Source("freeciv-data", "training", "effects", ("*/stdsounds/*",), ("woodbrk",)),
    Source("etw-data", "training", "music", ("*/music/*", "*/intro/*")),
    Source("etw-data", "training", "effects"),
    Source("linphone-common", "training", "effects"),
    Source("neverball-common", "training", "music", ("*/bgm/*",)),
    Source("neverball-common", "training", "effects"),
    Source("pinball-table-gnu-data", "training", "music", ("*/music*",)),
    Source("pinball-table-gnu-data", "training", "effects", without=("gplv",)),
    Source("powermanga-data", "training", "music", ("*/handheld_console/*",)),
    Source("powermanga-data", "training", "effects"),
    Source("teeworlds-data", "training", "effects", without=("music",)),
    Source(
        "wordwarvi-sound", "training", "music", ("*-mix.*", "*-mono.*", "*monomix.*", "*music.*", "*destiny*")
    ),
    Source("wordwarvi-sound", "training", "effects"),
    Source("dustracing2d-data", "training", "effects"),
    Source("sound-theme-freedesktop", "training", "effects"),
    Source("sound-icons", "training", "effects"),
    Source("oxygen-sounds", "training", "effects"),
    Source("deepin-sound-theme", "training", "effects"),
    Source("lomiri-sounds", "training", "music", ("*/ringtones/*",)),
    Source("lomiri-sounds", "training", "effects"),
)

CALIBRATION = (
    Source("wesnoth-1.16-music", "calibration", "music", without=("silence",), licence=_GPL2_LATER),
    Source("singularity-music", "calibration", "music", licence=_BY_SA),
    Source("marsshooter-data", "calibration", "music", ("*/music/*", "*/audio/menu*", "*/audio/tutorial*")),
    Source("marsshooter-data", "calibration", "effects", ("*/toon/*", "*/interface/*")),
    Source("marsshooter-data", "calibration", "speech", ("*/announcer/*",)),
    Source("fillets-ng-data-cs", "calibration", "speech", licence=_GPL2),
    Source("asterisk-core-sounds-it-wav", "calibration", "speech", without=_SILENCE, licence=_BY),
    Source("kajongg", "calibration", "speech"),
    Source("openarena-data", "calibration", "effects"),
    Source("warmux-data", "calibration", "music", ("*/music/*",), licence=_GPL2_LATER),
    Source("warmux-data", "calibration", "effects", ("*/sound/*",), licence=_GPL2_LATER),
    Source("btanks-data", "calibration", "music", ("*/tunes/*",), licence=_GPL2),
    Source("btanks-data", "calibration", "ambience", ("*/ambient/*",), ("country",), _GPL2),
    Source("btanks-data", "calibration", "effects", ("*/data/sounds/*",), ("ambient",), _GPL2),
    Source("netpanzer-data", "calibration", "effects"),
    Source("pinball-data", "calibration", "music", ("*.ogg",)),
    Source("pinball-data", "calibration", "effects"),
    Source("gigalomania-data", "calibration", "music", ("*/music/*",)),
    Source("gigalomania-data", "calibration", "effects", ("*/sound/*",)),
)

TEST = (
    Source("warzone2100-music", "test", "music"),
    Source("planetblupi-music-ogg", "test", "music"),
    Source("ufoai-music", "test", "music"),
    Source("fillets-ng-data-nl", "test", "speech", licence=_GPL2),
    Source("asterisk-core-sounds-fr-wav", "test", "speech", without=_SILENCE, licence=_BY_SA),
    Source("asterisk-core-sounds-ru-wav", "test", "speech", without=_SILENCE, licence=_BY),
    Source("ktuberling-data", "test", "speech"),
    Source("ufoai-sound", "test", "ambience", ("*/ambience/*",), ("night",)),
    Source("ufoai-sound", "test", "effects", without=("ambience",)),
    Source("widelands-data", "test", "music", ("*/music/*",)),
    Source("widelands-data", "test", "effects", ("*/sound/*",)),
    Source("megaglest-data", "test", "music", ("*/music/*",)),
    Source("megaglest-data", "test", "ambience", ("*/tilesets/*",)),
    Source("megaglest-data", "test", "effects", ("*/techs/*",), ("music",)),
)

SOURCES = (*TRAINING, *CALIBRATION, *TEST)
"""All of them, in the order in which they are fetched."""


def packages(part: Part | None = None) -> list[str]:
    """Return the names of the packages of a part, or of all, each once."""
    return list(dict.fromkeys(source.package for source in SOURCES if part in (None, source.part)))
