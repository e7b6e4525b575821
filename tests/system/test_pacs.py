"""Beside a real PACS: exams pulled, watched, answered in their studies, whatever is killed meanwhile."""

from __future__ import annotations

import io
import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pydicom
import pytest

from densight.assessment.models import load_models
from densight.intake.dicom.uids import stable_uid
from densight.pacs.address import Security, read_address
from densight.pacs.connect import connect
from densight.pacs.protocol import Query
from densight.pacs.queue import Queue
from densight.pacs.receive import Inbox, listen
from densight.pacs.watch import Watch
from densight.phantom.settings import Settings
from densight.vocabulary import DensightError
from tests.examples import write_model
from tests.indexing import densight
from tests.pacs_servers import Orthanc, Watching, free_port, orthanc, require, wait_for
from tests.phantoms import Shared

EXAMS, DIFFERENT = 14, 8
SHAPE = (128, 104)


@pytest.fixture(scope="module")
def exams(tmp_path_factory: pytest.TempPathFactory, shared: Shared) -> Path:
    """Exams of different patients; every eighth shows the same phantom, for they take a second each to make."""
    folder = tmp_path_factory.mktemp("phantoms") / "exams"
    shutil.copytree(shared.phantoms(DIFFERENT, 9, Settings(shape=SHAPE), ".dcm"), folder)
    for number in range(DIFFERENT + 1, EXAMS + 1):
        for path in files(folder, (number - 1) % DIFFERENT + 1, (number - 1) % DIFFERENT + 1):
            dataset = pydicom.dcmread(path)
            dataset.PatientID, dataset.PatientName = f"P{number:06d}", f"PHANTOM^{number}"
            for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
                dataset[keyword].value = stable_uid(dataset[keyword].value, number)
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
            home = folder / f"P{number:06d}"
            home.mkdir(exist_ok=True)
            dataset.save_as(home / path.name)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "all")


@pytest.fixture
def pacs(tmp_path: Path) -> Iterator[Orthanc]:
    with orthanc(tmp_path / "orthanc") as server:
        yield server


def files(folder: Path, first: int, last: int) -> list[Path]:
    return [path for number in range(first, last + 1) for path in sorted((folder / f"P{number:06d}").glob("*.dcm"))]


def send(paths: list[Path], address: str, title: str = "SENDER") -> None:
    connect(read_address(address), Security(), title).store(paths)


def check_reports(pacs: Orthanc, expected: int) -> None:
    """One report in each study, of the patient whose study it is, based on images that are there."""
    images = {one["uid"]: one["study"]["StudyInstanceUID"] for one in pacs.instances("MG")}
    reports = pacs.instances("SR")
    times = Counter(one["study"]["StudyInstanceUID"] for one in reports)
    assert len(times) == expected
    assert set(times.values()) == {1}
    for one in reports:
        report = pydicom.dcmread(io.BytesIO(pacs.file(one["id"])))
        assert report.PatientID == one["patient"]["PatientID"]
        evidence = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence
        based_on = [item.ReferencedSOPInstanceUID for item in evidence]
        assert len(based_on) == 4
        assert {images[uid] for uid in based_on} == {report.StudyInstanceUID}


def test_exams_are_answered_once_each_whatever_is_killed(
    exams: Path, model: Path, pacs: Orthanc, tmp_path: Path
) -> None:
    send(files(exams, 1, EXAMS), pacs.dimse)
    arguments = ("--poll", pacs.web, "--answer", pacs.web, "--model", model, "--method", "none", "--days", -1)
    arguments += ("--settle", 1, "--every", 20, "-o", tmp_path / "watch", "--once")

    watching = Watching(*arguments)
    wait_for(lambda: len(pacs.instances("SR")) >= 3, "three answers")
    watching.kill()

    watching = Watching(*arguments)
    wait_for(lambda: len(pacs.instances("SR")) >= 7, "seven answers")
    pacs.kill()
    pacs.start()
    status, printed = watching.wait()

    assert status == 0, printed
    assert f"{EXAMS} exams answered" in printed
    check_reports(pacs, EXAMS)

    again, printed = Watching(*arguments).wait()
    assert again == 0, printed
    check_reports(pacs, EXAMS)


def test_exams_that_are_sent_are_answered_over_dimse_and_only_its_own_title_is_answered(
    exams: Path, model: Path, pacs: Orthanc, tmp_path: Path
) -> None:
    send(files(exams, 1, 3), pacs.dimse)
    port = free_port()
    arguments = ("--listen", port, "--caller", "SENDER", "--answer", pacs.dimse, "--model", model, "--settle", 1)
    arguments += ("-o", tmp_path / "watch")
    own = f"DENSIGHT@127.0.0.1:{port}"

    watching = Watching(*arguments)
    wait_for(lambda: reached(own), "the watch listens", 60)
    assert not reached(own, "STRANGER")
    assert not reached(f"OTHER@127.0.0.1:{port}")
    sent = files(exams, 1, 3)
    send(sent[:6], own)
    watching.kill()

    watching = Watching(*arguments)
    wait_for(lambda: reached(own), "the watch listens again", 60)
    send(sent, own)
    wait_for(lambda: len(pacs.instances("SR")) >= 3, "three answers")
    status, printed = watching.stop()

    assert status == 130, printed
    check_reports(pacs, 3)
    kinds = Counter(series["MainDicomTags"]["Modality"] for series in pacs.ask("series?expand"))
    assert kinds == {"MG": 3, "SR": 3, "OT": 6, "SEG": 3}


def reached(address: str, title: str = "SENDER") -> bool:
    """Whether an association is accepted."""
    from pynetdicom import AE

    target = read_address(address)
    entity = AE(title)
    entity.add_requested_context("1.2.840.10008.1.1")
    association = entity.associate(target.host, target.port, ae_title=target.title)
    if not association.is_established:
        return False
    association.release()
    return True


@pytest.mark.parametrize("kind", ["web", "dimse"])
def test_pull_assess_push_and_read_again(exams: Path, model: Path, tmp_path: Path, kind: str) -> None:
    callback = free_port()
    with orthanc(tmp_path / "orthanc", callback) as pacs:
        send(files(exams, 1, 4), pacs.dimse)
        address = pacs.web if kind == "web" else pacs.dimse

        pulled = densight("pacs", "pull", address, "--date", "20240102-20240103", "-o", tmp_path / "exams")
        assert pulled.status == 0, pulled.fault
        assert "8 images of 2 exams retrieved" in pulled.printed
        again = densight("pacs", "pull", address, "--date", "20240102-20240103", "-o", tmp_path / "exams")
        assert "0 images of 2 exams retrieved" in again.printed
        came = sorted(pydicom.dcmread(path).PixelData for path in (tmp_path / "exams").rglob("*.dcm"))
        assert came == sorted(pydicom.dcmread(path).PixelData for path in files(exams, 2, 3))

        asked = ("--model", model, "--dicom", "--identified", "-o", tmp_path / "run")
        run = densight("assess", tmp_path / "exams", *asked)
        assert run.status == 0, run.fault
        commit = ["--commit", "--listen", callback] if kind == "dimse" else []
        pushed = densight("pacs", "push", tmp_path / "run", address, *commit)
        assert pushed.status == 0, pushed.fault
        assert ("committed itself" in pushed.printed) == (kind == "dimse")
        check_reports(pacs, 2)


def test_what_cannot_be_done_is_one_message(exams: Path, model: Path, tmp_path: Path) -> None:
    away = f"http://127.0.0.1:{free_port()}/dicom-web"
    for arguments, fault in (
        (("pull", away, "--date", "20240101"), "did not do it"),
        (("pull", f"PACS@127.0.0.1:{free_port()}", "--date", "20240101"), "did not do it"),
        (("pull", "ftp://pacs", "--date", "20240101"), "is no address of a PACS"),
        (("pull", "http://me:secret@pacs/dicom-web", "--date", "20240101"), "holds a user's name or password"),
        (("pull", away), "no exams are selected"),
        (("pull", away, "--date", "January"), "is no day or range of days"),
        (("push", tmp_path, away), "has no DICOM objects"),
        (("watch",), "no source of exams is given"),
        (("watch", "--listen", "11112", "--title", "A TITLE OF MORE THAN 16"), "is no application entity title"),
    ):
        done = densight("pacs", *arguments)
        assert done.status == 2, arguments
        assert fault in done.fault
        assert "Fix:" in done.fault
        assert "Traceback" not in done.fault
        assert "secret" not in done.fault
    run = densight("assess", exams / "P000001", "--model", model, "--dicom", "-o", tmp_path / "run")
    assert run.status == 0, run.fault
    refused = densight("pacs", "push", tmp_path / "run", away)
    assert "bear pseudonyms" in refused.fault


def test_what_arrives_damaged_is_refused_or_left_out_and_the_rest_goes_on(
    exams: Path, model: Path, tmp_path: Path
) -> None:
    printed: list[str] = []
    content = files(exams, 1, 1)[0].read_bytes()

    class Archive:
        """A PACS of one exam, one image of which names no study."""

        def find_studies(self, query: Query) -> list[str]:
            return ["1.2.3"]

        def fetch(
            self, study: str, modality: str, known: Callable[[str], bool], deliver: Callable[[str, bytes], None]
        ) -> int:
            damaged = pydicom.dcmread(io.BytesIO(content))
            del damaged.StudyInstanceUID
            half = io.BytesIO()
            damaged.save_as(half)
            for sop, one in (("1.1", half.getvalue()), ("1.2", b"nothing"), ("1.3", content)):
                if not known(sop):
                    deliver(sop, one)
            return 0

        def store(self, paths: Sequence[Path]) -> None:
            stored.extend(paths)

        def holds(self, path: Path) -> bool:
            return True

    stored: list[Path] = []
    with Queue(tmp_path / "queue.sqlite") as queue:
        watch = Watch(
            tmp_path, queue, load_models([model]), "", Archive(), Archive(), "MG", -1, 0.2, 0.1, printed.append
        )
        watch.run(threading.Event(), once=True)
        assert queue.states() == {"answered": 1}
        assert queue.knows("1.1")
        assert queue.knows("1.2")
        with pytest.raises(DensightError, match="the queue cannot be opened"):
            Queue(tmp_path / "queue.sqlite")
    assert [path.name for path in stored if path.name.startswith("report")] == ["report.dcm"]
    assert sum("left out" in line for line in printed) == 2
    (tmp_path / "queue.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(DensightError, match="the queue is damaged"):
        Queue(tmp_path / "queue.sqlite")


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate of this machine, signed by itself, and its key."""
    require("openssl")
    pem, key = folder / f"{name}.pem", folder / f"{name}.key"
    asked = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "2"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", pem, *asked]
    subprocess.run(command, check=True, capture_output=True)
    return pem, key


def test_images_are_sent_over_tls_and_to_nobody_else(exams: Path, tmp_path: Path) -> None:
    own, key = certificate(tmp_path, "own")
    other, _ = certificate(tmp_path, "other")
    sent = files(exams, 1, 1)
    with Queue(tmp_path / "queue.sqlite") as queue:
        inbox = Inbox(tmp_path / "incoming", queue)
        security = Security(tls=True, certificate=own, key=key)
        server = listen(inbox, title="DENSIGHT", port=0, bind="127.0.0.1", callers=[], security=security)
        address = read_address(f"DENSIGHT@127.0.0.1:{server.server_address[1]}")
        try:
            connect(address, Security(tls=True, authority=own), "SENDER").store(sent)
            for stranger in (Security(), Security(tls=True, authority=other), Security(tls=True)):
                with pytest.raises(DensightError, match="did not do it"):
                    connect(address, stranger, "SENDER").store(sent)
        finally:
            server.shutdown()
        assert len(list((tmp_path / "incoming").rglob("*.dcm"))) == 4
        assert (tmp_path / "incoming").stat().st_mode & 0o077 == 0
    with pytest.raises(DensightError, match="needs a certificate"):
        Security(tls=True).context(serving=True)
    with pytest.raises(DensightError, match="there is no such certificate"):
        Security(tls=True, authority=tmp_path / "gone.pem")
    with pytest.raises(DensightError, match="cannot be used"):
        Security(tls=True, certificate=key, key=own).context()
