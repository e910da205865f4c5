"""What kind of thing a concept is, and which other words name it: what people who look at a scene would say.

A reviewed list. It follows Unicode's emoji groups where they say what people say; a concept that people would put in
different groups (a mushroom, a bell) is in none.
"""

KINDS = {
    "animal": """dog cat horse cow pig rabbit elephant tiger frog turtle snake fish whale owl duck penguin butterfly spider
        bee crab monkey wolf fox raccoon lion zebra deer camel giraffe rhinoceros mouse hedgehog bear panda sloth kangaroo
        rooster flamingo peacock parrot crocodile orca shark octopus snail ladybug scorpion""",
    "food": """apple banana lemon strawberry hamburger tomato carrot pizza cake egg watermelon pineapple pear eggplant
        cucumber croissant pretzel bagel waffle sandwich taco burrito dumpling doughnut cookie cupcake lollipop""",
    "plant": "tree cactus rose leaf sunflower tulip",
    "vehicle": "car bus bicycle train airplane rocket boat truck tractor motorcycle scooter rickshaw helicopter",
    "clothing": "hat crown shoe necktie shirt dress boot",
    "tool": "hammer axe wrench screwdriver shovel",
    "furniture": "chair bed",
    "instrument": "guitar drum saxophone trumpet trombone accordion violin harp",
}
KIND_OF = {concept: kind for kind, concepts in KINDS.items() for concept in concepts.split()}
"""Concept → kind of thing; many concepts have none."""
SYNONYMS = {
    "dog": "puppy", "cat": "kitten", "horse": "pony", "pig": "piglet", "rabbit": "bunny", "turtle": "tortoise",
    "crab": "crustacean", "hamburger": "burger", "rose": "flower", "car": "automobile", "bicycle": "bike",
    "airplane": "plane", "rocket": "spaceship", "boat": "sailboat", "axe": "hatchet", "hat": "top hat", "shoe": "sneaker",
    "telephone": "phone", "truck": "lorry", "motorcycle": "motorbike", "television": "tv",
    "doughnut": "donut", "necktie": "tie", "gift": "present",
}  # fmt: skip
"""Concept → another word that some people call it by."""
