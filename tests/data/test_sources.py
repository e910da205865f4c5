"""Sources: what is fetched is what is pinned, and reading it is safe."""

import hashlib
import io
import subprocess
import tarfile
import zipfile

import pytest

from compactvl.config.base import validate
from compactvl.config.sources import SourceSettings
from compactvl.data import sources as module
from compactvl.data.members import read_member
from compactvl.data.sources import fetch_source, source_hash
from compactvl.errors import UserError

PIN = {"client": "npm", "package": "@a/b", "version": "1.0.0", "file": "b.tgz", "licence": "MIT", "attribution": "B"}


def tgz(path, **files):
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def pinned(path, **changes):
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return SourceSettings(**PIN | {"sha256": digest, "file": path.name} | changes)


def dvc_add(path):
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    record = path.with_name(path.name + ".dvc")
    record.write_text(f"outs:\n- md5: {md5}\n  size: {path.stat().st_size}\n  hash: md5\n  path: {path.name}\n")


def test_read_member(tmp_path):
    archive = tgz(tmp_path / "a.tgz", **{"package/x.json": b"{}"})
    assert read_member(archive, "package/x.json") == b"{}"
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as file:
        file.writestr("pkg/x.bin", b"123")
    assert read_member(tmp_path / "a.whl", "pkg/x.bin") == b"123"
    for path, member in ((archive, "package/x.json"), (tmp_path / "a.whl", "pkg/x.bin")):
        with pytest.raises(UserError, match="has no file nope"):
            read_member(path, "nope")
        with pytest.raises(UserError, match="goes beyond the 1 bytes accepted"):
            read_member(path, member, largest=1)
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(UserError, match="cannot be read"):
            read_member(path, member)
    with pytest.raises(UserError, match="is missing"):
        read_member(tmp_path / "none.tgz", "x")


def test_links_are_not_followed(tmp_path):
    with tarfile.open(tmp_path / "a.tgz", "w:gz") as archive:
        info = tarfile.TarInfo("package/x")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    with pytest.raises(UserError, match="has no file"):
        read_member(tmp_path / "a.tgz", "package/x")


def test_source_hash_trusts_the_pin_or_the_dvc_file(tmp_path):
    archive = tgz(tmp_path / "b.tgz", x=b"1")
    settings = pinned(archive)
    assert source_hash(archive, settings) == settings.sha256
    tgz(archive, x=b"changed by the user")
    with pytest.raises(UserError, match=r"neither the config .* vouches"):
        source_hash(archive, settings)
    dvc_add(archive)
    assert source_hash(archive, settings) == hashlib.sha256(archive.read_bytes()).hexdigest()
    fetch_source(settings, archive)
    assert source_hash(archive, settings) != settings.sha256, "a tracked update is not fetched over"
    tgz(archive, x=b"changed again")
    with pytest.raises(UserError, match="vouches"):
        source_hash(archive, settings)
    (tmp_path / "b.tgz.dvc").write_text("outs: 3")
    with pytest.raises(UserError, match="is not a DVC file"):
        source_hash(archive, settings)
    archive.unlink()
    with pytest.raises(UserError, match=r"b\.tgz is missing"):
        source_hash(archive, settings)


def test_fetch_verifies_and_explains(tmp_path, monkeypatch):
    archive = tgz(tmp_path / "b.tgz", x=b"1")
    settings = pinned(archive)

    def client(code, stderr="", deliver=True):
        def run(_settings, scratch):
            if deliver:
                (scratch / "b-1.0.0.tgz").write_bytes(archive.read_bytes())
            return subprocess.CompletedProcess([], code, "", stderr)

        monkeypatch.setattr(module, "_npm_pack", run)

    client(0)
    fetch_source(settings, tmp_path / "out" / "b.tgz")
    assert (tmp_path / "out" / "b.tgz").read_bytes() == archive.read_bytes()
    with pytest.raises(UserError, match="the fetched archive has sha256"):
        fetch_source(settings.model_copy(update={"sha256": "0" * 64}), tmp_path / "other" / "b.tgz")
    assert not (tmp_path / "other" / "b.tgz").exists()
    client(0, deliver=False)
    with pytest.raises(UserError, match="expected one archive from npm, got none"):
        fetch_source(settings, tmp_path / "other" / "b.tgz")
    for stderr, message in {
        "npm error code E404": "no such package or version",
        "npm error code ENOTFOUND": "cannot be reached",
        "npm error ENOSPC: no space left on device": "disk is full",
        "npm error code EWEIRD": "the client failed: npm error code EWEIRD",
    }.items():
        client(1, stderr)
        with pytest.raises(UserError, match=message) as caught:
            fetch_source(settings, tmp_path / "other" / "b.tgz")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": "xyz"}, "sources.b.sha256"),
        ({"client": "cargo"}, "sources.b.client"),
        ({"file": "../b.tgz"}, "sources.b.file"),
        ({"package": "--evil"}, "sources.b.package"),
        ({"version": "latest"}, "sources.b.version"),
        ({"license": "MIT"}, 'unknown setting; did you mean "licence"'),
    ],
)
def test_bad_settings_name_their_place(change, message):
    with pytest.raises(UserError, match=message):
        validate(SourceSettings, PIN | {"sha256": "0" * 64} | change, "sources.b")
