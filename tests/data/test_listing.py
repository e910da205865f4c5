import os

import pytest

from compactvl.data.listing import listing_digest


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "below").mkdir(parents=True)
    for name in ("a.png", "b.png", "below/c.png"):
        (folder / name).write_bytes(name.encode())
        os.utime(folder / name, (1, 1))
    return folder


def test_any_change_of_a_file_changes_it(photos):
    seen = {listing_digest(photos)}
    assert listing_digest(photos) in seen
    edits = [
        lambda: (photos / "d.png").write_bytes(b"new"),
        lambda: (photos / "below" / "c.png").write_bytes(b"longer than before"),
        lambda: os.utime(photos / "a.png", (2, 2)),
        lambda: (photos / "a.png").rename(photos / "below" / "a.png"),
        lambda: (photos / "b.png").unlink(),
    ]
    for edit in edits:
        edit()
        assert listing_digest(photos) not in seen
        seen.add(listing_digest(photos))


def test_a_tracked_folder_is_known_by_its_content_not_its_times(photos):
    photos.with_name("photos.dvc").write_text("outs:\n- md5: 0\n")
    before = listing_digest(photos)
    os.utime(photos / "a.png", (2, 2))
    assert listing_digest(photos) == before
    photos.with_name("photos.dvc").write_text("outs:\n- md5: 1\n")
    assert listing_digest(photos) != before


def test_no_folder_is_no_digest(tmp_path):
    assert listing_digest(tmp_path / "nowhere") is None
