"""A real PACS, Orthanc, that tests start, ask, stop and kill; and densight's own watch as a process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PLUGINS = sorted(Path("/usr/lib/orthanc").glob("libOrthancDicomWeb.so*"))


def require(*programs: str) -> None:
    """Skip where a program of Debian is not installed, but never in CI."""
    missing = [one for one in programs if shutil.which(one) is None]
    if not missing:
        return
    reason = f"not installed: {', '.join(missing)} (apt-get install dcmtk dicom3tools orthanc orthanc-dicomweb)"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(done: Callable[[], bool], what: str, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.1)


class Orthanc:
    """A PACS in a folder, on ports of its own."""

    def __init__(self, folder: Path, callback: int = 0) -> None:
        self.folder, self.http, self.dicom = folder, free_port(), free_port()
        folder.mkdir(parents=True)
        modality = {"AET": "DENSIGHT", "Host": "127.0.0.1", "Port": callback or free_port()}
        settings: dict[str, Any] = {
            "StorageDirectory": str(folder / "db"),
            "IndexDirectory": str(folder / "db"),
            "HttpPort": self.http,
            "DicomPort": self.dicom,
            "DicomAet": "ORTHANC",
            "DicomCheckCalledAet": True,
            "DicomAlwaysAllowStore": True,
            "DicomAlwaysAllowFind": True,
            "DicomAlwaysAllowGet": True,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "OverwriteInstances": False,
            "DicomModalities": {"densight": modality | {"AllowStorageCommitment": True}},
            "Plugins": [str(PLUGINS[-1])] if PLUGINS else [],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        }
        (folder / "settings.json").write_text(json.dumps(settings))
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def web(self) -> str:
        return f"http://127.0.0.1:{self.http}/dicom-web"

    @property
    def dimse(self) -> str:
        return f"ORTHANC@127.0.0.1:{self.dicom}"

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(["Orthanc", str(self.folder / "settings.json")], stdout=log, stderr=log)
        wait_for(self._answers, "Orthanc answers", 60)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def ask(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/{path}", timeout=30) as answer:
            return json.loads(answer.read())

    def instances(self, modality: str) -> list[dict[str, Any]]:
        """Every instance of a modality: its id, its SOP instance UID and its study's patient."""
        found = []
        for series in self.ask("series?expand"):
            if series["MainDicomTags"].get("Modality") == modality:
                study = self.ask(f"studies/{series['ParentStudy']}")
                for name in series["Instances"]:
                    uid = self.ask(f"instances/{name}")["MainDicomTags"]["SOPInstanceUID"]
                    of_study, of_patient = study["MainDicomTags"], study["PatientMainDicomTags"]
                    found.append({"id": name, "uid": uid, "study": of_study, "patient": of_patient})
        return found

    def file(self, name: str) -> bytes:
        url = f"http://127.0.0.1:{self.http}/instances/{name}/file"
        with urllib.request.urlopen(url, timeout=30) as answer:
            content: bytes = answer.read()
            return content

    def _answers(self) -> bool:
        try:
            return bool(self.ask("system"))
        except OSError:
            return False


@contextmanager
def orthanc(folder: Path, callback: int = 0) -> Iterator[Orthanc]:
    require("Orthanc")
    server = Orthanc(folder, callback)
    server.start()
    try:
        yield server
    finally:
        server.kill()


class Watching:
    """``densight pacs watch`` as a process."""

    def __init__(self, *arguments: object) -> None:
        command = [sys.executable, "-m", "densight", "pacs", "watch", *map(str, arguments)]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def stop(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self, seconds: float = 300) -> tuple[int, str]:
        printed, _ = self.process.communicate(timeout=seconds)
        return self.process.returncode, printed
