"""What ``compactvl tokens info`` shows about a token store."""

from pathlib import Path

from compactvl.vision.store import TokenStore


def info(folder: str | Path) -> str:
    """Return a store's facts as a text table, one line a fact.

    Raises:
        UserError: no finished store there, or it is damaged.
    """
    with TokenStore.open(folder) as store:
        manifest, total = store.manifest, sum(store.manifest["bytes"].values())
        parts = ", ".join(f"{name} {size / 1e6:,.1f}" for name, size in manifest["bytes"].items() if size)
        encoder = manifest["encoder"]
        length, width = store.shape
        rows = {
            "store": str(folder),
            "data set": manifest["dataset"].get("name", "-"),
            "images": f"{len(store):,} in {len(manifest['shards'])} shards",
            "tokens": f"{length} x {width} an image, {store.storage}",
            "pooled": f"{store.pooled_dim} numbers, float32",
            "bytes an image": f"{store.nbytes_payload / len(store):,.0f} (with all else {total / len(store):,.0f})",
            "on disk": f"{total / 1e6:,.1f} MB ({parts})",
            "encoder": f"{encoder.get('name', '-')}: {encoder.get('model', '-')} by {encoder.get('loader', '-')}",
            "weights": encoder.get("weights_sha256", "-"),
            "precision": encoder.get("precision", "-"),
            "preprocessing": ", ".join(f"{key} {value}" for key, value in encoder.get("preprocessing", {}).items()),
        }
        if encoder.get("remark"):
            rows["remark"] = encoder["remark"]
    wide = max(map(len, rows))
    return "\n".join(f"{key.ljust(wide)}  {value}" for key, value in rows.items())
