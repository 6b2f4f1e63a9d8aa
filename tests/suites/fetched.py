"""Suites that others keep, fetched from the packages that ship them, by the ordinary clients, into a folder that is not
kept: `var/suites`.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

import pytest
import requests

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "var" / "suites"

# Each: the client, the package, and what of it is wanted.
PACKAGES = {
    "jsonschema": ("pip", "jsonschema==4.26.0", "json/tests/draft2020-12"),
    "jsonata-rows": ("pip", "jsonata_rs==0.1.4", "crates/jsonata/tests/fidelity/groups"),
    "jsonata": ("npm", "jsonata@2.2.2", "jsonata.js"),
    "asyncapi": ("npm", "@asyncapi/specs@6.11.1", "schemas/3.0.0-without-$id.json"),
}


def fetched(name):
    """The wanted part of a package, fetched once. Missing network or client: a skip at the desk, a failure where the
    run promised to have it.
    """
    client, package, part = PACKAGES[name]
    folder = FOLDER / name
    if not folder.exists():
        making = FOLDER / f".{name}"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        try:
            _download(client, package, making)
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", b"") or str(error).encode()
            _missing(f"{package} cannot be fetched by {client}: {said.decode(errors='replace').strip()[-300:]}")
        [archive] = [path for path in making.iterdir() if path.is_file()]
        with tarfile.open(archive) as packed:
            packed.extractall(making / "unpacked", filter="data")
        archive.unlink()
        making.rename(folder)
    [found] = (folder / "unpacked").glob(f"*/{part}")
    return found


def _download(client, package, folder):
    if client == "npm":
        subprocess.run(["npm", "pack", "--silent", package], check=True, cwd=folder, capture_output=True, timeout=300)
        return
    # pip itself would build what it downloads, which needs the package's own tools (a Rust compiler): it is only asked
    # where the archive is.
    name, version = package.split("==")
    words = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-vv",
        "--no-deps",
        "--no-binary",
        ":all:",
        "--no-build-isolation",
        "--dest",
        str(folder / "none"),
        package,
    ]
    said = subprocess.run(words, check=False, capture_output=True, text=True, timeout=300).stdout
    found = re.search(rf"Found link (\S+?/{name}-{re.escape(version)}\.tar\.gz)", said)
    shutil.rmtree(folder / "none", ignore_errors=True)
    if found is None:
        raise OSError(said[-300:])
    answer = requests.get(found[1], timeout=120) if found[1].startswith("http") else None
    if answer is not None:
        answer.raise_for_status()
    (folder / f"{name}.tar.gz").write_bytes(
        answer.content if answer is not None else Path(url2pathname(urlparse(found[1]).path)).read_bytes()
    )


def _missing(text):
    if os.environ.get("CI") == "true":
        pytest.fail(text)
    pytest.skip(text)
