import os
import subprocess
import sys

import pytest

from compactvl.data.listing import listing_digest
from compactvl.errors import UserError


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
    known = "outs:\n- md5: {}.dir\n  size: 21\n  nfiles: 3\n  path: photos\n"
    photos.with_name("photos.dvc").write_text(known.format(0))
    before = listing_digest(photos)
    os.utime(photos / "a.png", (2, 2))
    assert listing_digest(photos) == before
    photos.rename(photos.with_name("away"))
    assert listing_digest(photos) not in (None, before)
    photos.with_name("away").rename(photos)
    assert listing_digest(photos) == before
    photos.with_name("photos.dvc").write_text(known.format(1))
    assert listing_digest(photos) != before


@pytest.mark.parametrize(
    "known",
    ["outs:\n- md5: 0.dir\n  size: 21\n  nfiles: 3\n  path: photos\n", "outs:\n- md5: 0.dir\n  path: photos\n"],
)
def test_a_tracked_folder_that_was_changed_since_is_seen(photos, known):
    photos.with_name("photos.dvc").write_text(known)
    before = listing_digest(photos)
    (photos / "a.png").write_bytes(b"another photo")
    changed = listing_digest(photos)
    assert changed != before
    os.utime(photos / "b.png", (2, 2))
    assert listing_digest(photos) == changed
    # Neither the number of the files nor their size in all is another one.
    (photos / "a.png").rename(photos / "x.png")
    (photos / "b.png").rename(photos / "a.png")
    (photos / "x.png").rename(photos / "b.png")
    exchanged = listing_digest(photos)
    assert exchanged != changed
    (photos / "b.png").rename(photos / "z.png")
    assert listing_digest(photos) not in (changed, exchanged)


@pytest.mark.parametrize(
    "outs", ["", "photos", "[photos]", "[null]", "{a: 1}", "[]", "[{md5: 0.dir}]", "[{path: photos}]"]
)
def test_what_is_no_dvc_file_is_refused(photos, outs):
    photos.with_name("photos.dvc").write_text(f"outs: {outs}\n")
    with pytest.raises(UserError, match=r"photos\.dvc is not a DVC file for photos; make it again with 'dvc add "):
        listing_digest(photos)


def test_what_dvc_writes_is_understood(photos, tmp_path):
    command = [sys.executable, "-m", "dvc"]
    for arguments in (["init", "--no-scm", "-q"], ["add", "-q", "photos"]):
        subprocess.run([*command, *arguments], cwd=tmp_path, check=True)
    before = listing_digest(photos)
    os.utime(photos / "a.png", (2, 2))
    assert listing_digest(photos) == before
    (photos / "d.png").write_bytes(b"more")
    assert listing_digest(photos) != before


def test_links_in_a_circle_and_links_to_nothing_are_left_out(photos):
    before = listing_digest(photos)
    (photos / "self").symlink_to(".")
    (photos / "below" / "up").symlink_to("..")
    (photos / "loop").symlink_to("loop")
    (photos / "nothing").symlink_to("nowhere.png")
    assert listing_digest(photos) == before
    (photos / "e.png").symlink_to(photos / "a.png")
    assert listing_digest(photos) != before


def test_a_name_that_is_not_utf8_is_a_name(photos):
    before = listing_digest(photos)
    (photos / os.fsdecode(b"caf\xe9.png")).write_bytes(b"x")
    assert listing_digest(photos) != before


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_cannot_be_read_is_named(photos):
    (photos / "below").chmod(0)
    with pytest.raises(UserError, match=r"cannot read the folder .*below"):
        listing_digest(photos)


def test_no_folder_is_no_digest(tmp_path):
    assert listing_digest(tmp_path / "nowhere") is None
