"""Concepts: concrete nouns with a drawing, derived from Unicode's emoji groups and names.

An emoji becomes a concept if its subgroup names things (animals, food, plants, vehicles, tools, clothing ...), its name
is a count noun of one or two plain words in the singular, and no other concept has the same name. ``RENAMED`` gives the
everyday word for CLDR's (automobile → car); ``LEFT_OUT`` and ``TWO_WORDS`` are the reviewed exceptions.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from compactvl.data.artwork import Artwork
from compactvl.data.emoji import Emoji
from compactvl.data.inflection import plural


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SUBGROUPS = _words(
    """animal-mammal animal-bird animal-amphibian animal-reptile animal-marine animal-bug plant-flower plant-other
    food-fruit food-vegetable food-prepared food-asian food-sweet drink dishware place-map place-building place-other
    place-religious transport-ground transport-water transport-air hotel time sky-weather event award-medal sport
    game arts-crafts clothing sound music musical-instrument phone computer light-video book-paper money mail writing
    office lock tool science medical household"""
)

RENAMED = {
    "honeybee": "bee", "lady beetle": "ladybug", "red apple": "apple", "automobile": "car", "delivery truck": "truck",
    "deciduous tree": "tree", "kitchen knife": "knife", "alarm clock": "clock", "wrapped gift": "gift",
    "top hat": "hat", "running shoe": "shoe", "birthday cake": "cake", "closed book": "book", "maple leaf": "leaf",
    "sailboat": "boat", "light bulb": "bulb", "woman’s boot": "boot", "motor scooter": "scooter",
    "boxing glove": "glove", "gem stone": "diamond", "artist palette": "palette", "auto rickshaw": "rickshaw",
    "t-shirt": "shirt", "fishing pole": "fishing rod",
}  # fmt: skip

# What the 60 default concepts are chosen for: one WordPiece each, a picture nothing else among them looks like.
CORE = _words(
    """dog cat horse cow pig rabbit elephant tiger frog turtle snake fish whale owl duck penguin butterfly spider bee
    crab apple banana lemon strawberry hamburger tomato carrot mushroom pizza cake egg tree cactus rose leaf car bus
    bicycle train airplane rocket boat hammer key axe bell book chair bed umbrella clock candle camera guitar drum
    telephone hat crown shoe balloon"""
)

# One-word names that are left out: mass nouns, plurals, events and places without a plain outline, words of two
# readings, and drawings too like another concept's (ox beside cow, eagle beside owl, pear-shaped fruit, round faces,
# papers, discs).
LEFT_OUT = _words(
    """ram ewe ox boar mammoth badger skunk otter chipmunk poodle orangutan leopard bison donkey moose bat goat hamster
    rat beaver koala gorilla llama hippopotamus turkey chicken dodo wing feather dove phoenix goose eagle dragon
    microbe worm fly ant cricket cockroach mosquito swan bird lizard sauropod seal dolphin blowfish oyster coral
    jellyfish shrimp squid lobster bug beetle cherries blossom bouquet rosette hibiscus hyacinth herb seedling
    shamrock lotus melon tangerine lime mango grapes blueberries olive peanuts beans garlic kiwi peach onion chestnut
    coconut avocado potato bread flatbread pancakes bacon popcorn butter salt fondue falafel tamale cooking sushi
    spaghetti oden dango custard shortcake candy pie sake mate ice chopsticks wine beer cheese jar amphora brick rock
    wood hut houses stadium bank wedding school hospital hotel factory church mosque synagogue kaaba castle house
    metro station minibus monorail trolley ferry canoe speedboat ship seat wheel construction motorway tram
    locomotive taxi ambulance jeep luggage stopwatch fog foggy tornado cyclone comet fire droplet cloud sun moon
    sparkler fireworks firecracker sparkles rainbow ticket tennis bowling lacrosse badminton softball baseball
    volleyball skis sled pawn joker puzzle dice bullseye thread yarn knot glasses goggles sunglasses jeans gloves
    socks shorts briefs bikini sari kimono swimsuit scarf coat purse handbag cap lipstick phone flute maracas banjo
    piano pager trackball dvd printer keyboard battery abacus videocassette books notebook ledger scroll label
    bookmark coin receipt package pen memo clipboard pushpin chains hook link gear pick clamp dagger dna alembic
    loudspeaker radio soap bubbles sponge shower elevator mirror window door toilet plunger fountain sunrise sunset
    cityscape sack locked unlocked pill crutch bin barrel newspaper fork spoon medal cart lifebuoy saw satellite
    razor crayon trolleybus wastebasket scissors broccoli"""
)
TWO_WORDS = (
    "soccer ball", "fishing rod", "credit card", "roller coaster", "fire extinguisher", "graduation cap", "sewing needle",
)  # fmt: skip
# Names that MiniLM's (BERT's) vocabulary has only in pieces come after those it has whole.
IN_PIECES = _words(
    """raccoon giraffe rhinoceros hedgehog sloth flamingo ladybug sunflower tulip watermelon pineapple eggplant cucumber
    croissant pretzel bagel waffle taco burrito dumpling doughnut cupcake lollipop teapot scooter rickshaw skateboard
    thermometer snowflake snowman joystick necktie megaphone headphone postbox paintbrush paperclip boomerang wrench
    screwdriver toolbox syringe stethoscope bathtub toothbrush"""
)
WORDS = re.compile(r"[a-z]+")


@dataclass(frozen=True)
class Concept:
    """A kind of object: its everyday name, the plural, and the emoji that draws it."""

    name: str
    plural: str
    code: str

    def form(self, single: bool) -> str:
        """Return the name, or its plural."""
        return self.name if single else self.plural


def list_concepts(emoji: Iterable[Emoji], styles: Sequence[Artwork]) -> list[Concept]:
    """Return all concepts that every style can draw: ``CORE`` first, then one-word names, then two-word names,
    then names the language model has only in pieces.

    Within each part the order is Unicode's, so it does not change when the list is widened.
    """
    found: dict[str, Concept] = {}
    for item in emoji:
        name = RENAMED.get(item.label, item.label)
        fits = name in TWO_WORDS if " " in name else WORDS.fullmatch(name) and name not in LEFT_OUT
        if fits and item.subgroup in SUBGROUPS and name not in found and all(item.code in style for style in styles):
            found[name] = Concept(name, plural(name), item.code)
    core = [found.pop(name) for name in CORE if name in found]
    return core + sorted(found.values(), key=lambda concept: (concept.name in IN_PIECES, " " in concept.name))
