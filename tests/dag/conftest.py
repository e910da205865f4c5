import copy
from pathlib import Path

import pytest

from compactvl.config.overlay import read_yaml

REPOSITORY = Path(__file__).parents[2]
CONFIG = read_yaml(REPOSITORY / "config.yaml")


@pytest.fixture
def config():
    """The demo configuration without studies, as plain data that a test may change."""
    plain = copy.deepcopy(CONFIG)
    plain["studies"] = {}
    return plain
