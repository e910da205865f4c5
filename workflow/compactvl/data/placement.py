"""Where the objects of a scene stand: no overlaps, groups together, a stated relation plainly true.

A group is a small grid of square cells, one object a cell. Blocks of cells are placed at random; a relation's two
blocks are separated along its axis, lie on their own sides of the image's middle, and differ more along that axis
than across.
"""

import itertools

import numpy as np

from compactvl.data.draws import pick
from compactvl.data.scene import AXES, Group, Relation, Scene

SIDE = {"big": 0.41, None: 0.285, "small": 0.215}
"""Longer side of an object, as a share of the image's."""
MARGIN, GAP, SLACK = 2, 4, 3
TRIES, ATTEMPTS = 60, 4
GRIDS = {
    1: [(1, 1)], 2: [(1, 2), (2, 1)], 3: [(1, 3), (3, 1), (2, 2)], 4: [(2, 2)], 5: [(2, 3), (3, 2)], 6: [(2, 3), (3, 2)],
}  # fmt: skip

Cell = tuple[int, int, int]  # left, top, side in pixels
Block = tuple[int, int, int, int]  # x0, y0, x1, y1 in pixels


def place(scene: Scene, image_size: int, rng: np.random.Generator) -> list[list[Cell]] | None:
    """Place every object in an image of that height and width in pixels.

    Returns:
        For each group its cells (left, top, side); ``None`` if no layout was found, so draw another scene.
    """
    pitches = [round(SIDE[group.size] * image_size) + SLACK for group in scene.groups]
    related = [] if scene.relation is None else [scene.relation.first, scene.relation.second]
    rest = [i for i in range(len(scene.groups)) if i not in related]
    order = related + sorted(rest, key=lambda i: -scene.groups[i].count * SIDE[scene.groups[i].size] ** 2)
    for _ in range(TRIES):
        shapes = [pick(GRIDS[group.count], rng) for group in scene.groups]
        sizes = [(columns * pitch, rows * pitch) for (rows, columns), pitch in zip(shapes, pitches, strict=True)]
        blocks = _place_blocks(scene.relation, sizes, order, image_size, rng)
        if blocks is not None:
            return [_cells(*one, rng) for one in zip(scene.groups, blocks, shapes, pitches, strict=True)]
    return None


def _place_blocks(relation: Relation | None, sizes, order, image_size: int, rng) -> list[Block] | None:
    """Return each group's block, or ``None`` if this draw does not fit."""
    blocks: dict[int, Block] = {}
    draws = iter(rng.random(2 * ATTEMPTS * len(order)).tolist())
    for index in order:
        ranges = [_range(relation, index, axis, sizes[index][axis], blocks, image_size) for axis in (0, 1)]
        if any(low > high for low, high in ranges):
            return None
        for _ in range(ATTEMPTS):
            x, y = (low + int(next(draws) * (high + 1 - low)) for low, high in ranges)
            block = (x, y, x + sizes[index][0], y + sizes[index][1])
            if all(_apart(block, other) for other in blocks.values()):
                blocks[index] = block
                break
        else:
            return None
    if relation is not None and not _plain(relation, blocks):
        return None
    return [blocks[i] for i in range(len(sizes))]


def _range(relation: Relation | None, index: int, axis: int, size: int, blocks, image_size: int) -> tuple[int, int]:
    """Return the first and last start of a block along an axis; a related group keeps to its own side of the middle."""
    low, high = MARGIN, image_size - MARGIN - size
    if relation is None or axis != AXES[relation.kind]:
        return low, high
    if index == relation.first:
        high = min(high, (image_size - size - 1) // 2)
    elif index == relation.second:
        low = max(low, (image_size - size) // 2 + 1, blocks[relation.first][axis + 2] + GAP)
    return low, high


def _apart(a: Block, b: Block) -> bool:
    """Whether two blocks are at least ``GAP`` pixels apart along one axis."""
    return a[2] + GAP <= b[0] or b[2] + GAP <= a[0] or a[3] + GAP <= b[1] or b[3] + GAP <= a[1]


def _plain(relation: Relation, blocks) -> bool:
    """Whether the two related blocks differ clearly more along the relation's axis than across it."""
    axis = AXES[relation.kind]
    first, second = blocks[relation.first], blocks[relation.second]
    along = second[axis] + second[axis + 2] - first[axis] - first[axis + 2]
    across = abs(second[1 - axis] + second[3 - axis] - first[1 - axis] - first[3 - axis])
    return first[axis + 2] + GAP <= second[axis] and across <= 0.75 * along


def _cells(group: Group, block: Block, shape: tuple[int, int], pitch: int, rng: np.random.Generator) -> list[Cell]:
    """Jitter each object inside its cell; a grid with room to spare leaves random cells empty."""
    rows, columns = shape
    spots = list(itertools.product(range(rows), range(columns)))
    if len(spots) > group.count:
        spots = [spots[i] for i in sorted(rng.permutation(len(spots))[: group.count])]
    jitter = rng.integers(0, SLACK + 1, size=(group.count, 2))
    return [
        (block[0] + column * pitch + int(dx), block[1] + row * pitch + int(dy), pitch - SLACK)
        for (row, column), (dx, dy) in zip(spots, jitter, strict=True)
    ]
