"""Writes container images as docker-archives of one layer, with the standard library."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path


def write_image(target: Path, name: str, files: Mapping[str, Path], *, entrypoint: tuple[str, ...]) -> None:
    """Writes an image made from scratch.

    Args:
        target: the archive.
        name: with a tag, as in "localhost/pause:1".
        files: the image's executables, by their path in it.
        entrypoint: what a container runs.
    """
    layer = _layer(files)
    layer_digest = hashlib.sha256(layer).hexdigest()
    config = _json(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Entrypoint": list(entrypoint), "Env": ["PATH=/usr/bin:/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
        }
    )
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    layer_name = f"{layer_digest}.tar"
    manifest = _json([{"Config": config_name, "RepoTags": [name], "Layers": [layer_name]}])
    with tarfile.open(target, "w") as archive:
        for member, data in ((layer_name, layer), (config_name, config), ("manifest.json", manifest)):
            _add(archive, member, data, mode=0o644)


def _layer(files: Mapping[str, Path]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, source in sorted(files.items()):
            _add(archive, path.lstrip("/"), source.read_bytes(), mode=0o755)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, name: str, data: bytes, *, mode: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), mode
    archive.addfile(member, io.BytesIO(data))


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
