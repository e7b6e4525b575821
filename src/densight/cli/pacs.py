"""``densight pacs``: exams from a PACS, and results back into it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from densight.cli.common_options import add_to_json, with_common_options
from densight.cli.options import DeviceOption, ModelOption
from densight.cli.terminal import INTERRUPTED, count, open_bar, open_console, print_line
from densight.vocabulary import DensightError

if TYPE_CHECKING:
    from densight.pacs.address import Security
    from densight.pacs.protocol import Pacs

__all__ = ["pacs"]

pacs = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Pull exams from a PACS, push results, watch.")

PacsArgument = Annotated[
    str,
    typer.Argument(
        metavar="PACS", help="https://host/dicom-web (DICOMweb) or AETITLE@host:port (DIMSE).", show_default=False
    ),
]
TitleOption = Annotated[str, typer.Option(metavar="AET", help="densight's own application entity title.")]
TlsOption = Annotated[bool, typer.Option("--tls", help="DIMSE over TLS.")]
AuthorityOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Certificates to trust, PEM.", show_default=False)
]
CertificateOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="densight's own certificate, PEM.", show_default=False)
]
KeyOption = Annotated[Path | None, typer.Option(metavar="FILE", help="The certificate's key, PEM.", show_default=False)]
UserOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="For DICOMweb. The password is taken from DENSIGHT_PACS_PASSWORD, or a token from DENSIGHT_PACS_TOKEN.",
        show_default=False,
    ),
]
BindOption = Annotated[
    str, typer.Option(metavar="HOST", help="The interface to listen on: this machine alone, unless another is given.")
]
ModalityOption = Annotated[str, typer.Option(metavar="NAME", help="The modality of what is retrieved.")]


@pacs.command("pull")
@with_common_options
def pull(
    source: PacsArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Gets one folder per exam.")] = Path(
        "exams"
    ),
    date: Annotated[
        str, typer.Option(metavar="DAYS", help="The exams' day or days: 20240131 or 20240101-20240131.")
    ] = "",
    patient: Annotated[str, typer.Option(metavar="ID", help="The patient's id.", show_default=False)] = "",
    study: Annotated[str, typer.Option(metavar="UID", help="One study.", show_default=False)] = "",
    modality: ModalityOption = "MG",
    title: TitleOption = "DENSIGHT",
    tls: TlsOption = False,
    authority: AuthorityOption = None,
    certificate: CertificateOption = None,
    key: KeyOption = None,
    user: UserOption = "",
) -> None:
    """Retrieve exams from a PACS into a folder.

    Folders and files bear pseudonyms; the files are as the PACS keeps them, with
    patients' names. Images that are there already are not retrieved again.

    densight pacs pull ORTHANC@localhost:4242 --date 20240131 -o exams/
    """
    from densight.pacs.protocol import Query
    from densight.pacs.transfer import pull as pull_exams

    if not (date or patient or study):
        raise DensightError("no exams are selected", remedy="give --date, --patient or --study")
    archive = _connect(source, title, _security(tls, authority, certificate, key, user))
    console = open_console()
    with open_bar(console) as bar:
        task = bar.add_task("Retrieving", total=None)
        studies, images = pull_exams(
            archive,
            Query(date, modality, patient, study),
            output,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    add_to_json(folder=output, exams=studies, images=images)
    print_line(console, f"{count(images, 'image')} of {count(studies, 'exam')} retrieved: {output}")


@pacs.command("push")
@with_common_options
def push(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The run folder.", show_default=False)],
    target: PacsArgument,
    commit: Annotated[
        bool, typer.Option("--commit", help="Ask for storage commitment, too (DIMSE). The PACS calls back.")
    ] = False,
    listen: Annotated[int, typer.Option(metavar="PORT", help="The port that it calls back on.")] = 11112,
    bind: BindOption = "127.0.0.1",
    title: TitleOption = "DENSIGHT",
    tls: TlsOption = False,
    authority: AuthorityOption = None,
    certificate: CertificateOption = None,
    key: KeyOption = None,
    user: UserOption = "",
) -> None:
    """Store a run's results in the PACS, in the studies of the exams.

    The run must have been made with --dicom --identified. After it has stored an
    exam's results the PACS is asked whether it finds them.

    densight pacs push run/ ORTHANC@localhost:4242
    """
    from densight.pacs.address import read_address
    from densight.pacs.commit import request_commitment
    from densight.pacs.transfer import push as push_files
    from densight.pacs.transfer import results_of

    files = results_of(run)
    address, security = read_address(target), _security(tls, authority, certificate, key, user)
    if commit and address.url:
        raise DensightError("DICOMweb knows no storage commitment", remedy="leave out --commit, or push over DIMSE")
    archive = _connect(target, title, security)
    console = open_console()
    with open_bar(console) as bar:
        task = bar.add_task("Storing", total=None)
        push_files(archive, files, lambda done, total: bar.update(task, completed=done, total=total))
    if commit:
        request_commitment(address, security, title, files, bind=bind, port=listen)
        print_line(console, "The PACS has committed itself to all of them.")
    add_to_json(objects=len(files), committed=commit)
    print_line(console, f"{count(len(files), 'object')} stored: {address}")


@pacs.command("watch")
@with_common_options
def watch(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Queue, waiting images and results.")
    ] = Path("watch"),
    poll: Annotated[
        str | None, typer.Option(metavar="PACS", help="Ask this PACS for new exams.", show_default=False)
    ] = None,
    listen: Annotated[
        int | None, typer.Option(metavar="PORT", help="Take what is sent to this port (C-STORE).", show_default=False)
    ] = None,
    answer: Annotated[
        str | None, typer.Option(metavar="PACS", help="Store the results in this PACS.", show_default=False)
    ] = None,
    model: ModelOption = None,
    method: Annotated[str, typer.Option(metavar="NAME", help="The method of the maps, or none.")] = "grad-cam",
    settle: Annotated[
        float,
        typer.Option(
            metavar="S", help="Seconds in which nothing more of an exam comes; thrice that where views are missing."
        ),
    ] = 30,
    every: Annotated[float, typer.Option(metavar="S", help="Seconds between two questions to the PACS.")] = 30,
    days: Annotated[int, typer.Option(metavar="N", help="Ask for exams of the last N days; -1 for all.")] = 1,
    modality: ModalityOption = "MG",
    caller: Annotated[
        list[str] | None,
        typer.Option(metavar="AET", help="A title that may send; all may where none is given.", show_default=False),
    ] = None,
    bind: BindOption = "127.0.0.1",
    once: Annotated[bool, typer.Option("--once", help="End when all that has come is answered.")] = False,
    title: TitleOption = "DENSIGHT",
    tls: TlsOption = False,
    authority: AuthorityOption = None,
    certificate: CertificateOption = None,
    key: KeyOption = None,
    user: UserOption = "",
    device: DeviceOption = "cpu",
) -> None:
    """Assess what arrives and answer it, until Ctrl-C.

    Exams are sent (--listen) or asked for (--poll). Each is assessed when nothing
    more of it comes, and answered once; when more images of it come later, once
    more. All is noted on disk: whatever is killed, the same command goes on, and
    where the PACS is away it is asked again.

    densight pacs watch --poll http://localhost:8042/dicom-web --answer ORTHANC@localhost:4242
    """
    import signal
    import threading

    from densight.assessment.models import load_models
    from densight.network.shipped import DEFAULT
    from densight.pacs.address import check_title
    from densight.pacs.queue import Queue
    from densight.pacs.receive import listen as start_listening
    from densight.pacs.watch import QUEUE, Watch

    if poll is None and listen is None:
        raise DensightError("no source of exams is given", remedy="give --poll PACS, or --listen PORT, or both")
    security, title = _security(tls, authority, certificate, key, user), check_title(title)
    models = load_models(model or [Path(DEFAULT)], device)
    console = open_console()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with Queue(output / QUEUE) as queue:
        work = Watch(
            folder=output,
            queue=queue,
            models=models,
            method="" if method == "none" else method,
            answers=None if answer is None else _connect(answer, title, security),
            polled=None if poll is None else _connect(poll, title, security),
            modality=modality,
            days=days,
            every=every,
            settle=settle,
            say=lambda line: print_line(console, line),
        )
        server = None
        if listen is not None:
            server = start_listening(
                work.inbox, title=title, port=listen, bind=bind, callers=caller or [], security=security
            )
            print_line(console, f"Listening: {title}@{bind}:{server.server_address[1]}")
        try:
            work.run(stop, once=once)
        finally:
            if server is not None:
                server.shutdown()
        add_to_json(folder=output, exams=queue.states())
        for state, exams in queue.states().items():
            print_line(console, f"{count(exams, 'exam')} {state}")
    if stop.is_set():
        print_line(console, "Stopped. The same command goes on.")
        raise typer.Exit(INTERRUPTED)


def _security(tls: bool, authority: Path | None, certificate: Path | None, key: Path | None, user: str) -> Security:
    from densight.pacs.address import Security

    return Security(tls, authority, certificate, key, user)


def _connect(text: str, title: str, security: Security) -> Pacs:
    from densight.pacs.address import check_title, read_address
    from densight.pacs.connect import connect

    return connect(read_address(text), security, check_title(title))
