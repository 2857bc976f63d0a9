"""The command line: parse, call, print. Everything else lives below.

A user's mistake ends with one line on standard error and status 2, Ctrl-C with status 130.
"""

from __future__ import annotations

import io
import json
import os
import re
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from cadenza import __version__
from cadenza.errors import CadenzaError
from cadenza.files import all_or_none, check_writable

app = typer.Typer(
    name="cadenza",
    help="Composes piano music with you: continues what you play, or begins on its own.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
corpus_app = typer.Typer(help="The music that models are trained on.", no_args_is_help=True)
app.add_typer(corpus_app, name="corpus")

INTERRUPTED = 130
"""Status after Ctrl-C, as the shell has it; typer returns it rather than letting the interrupt through."""

out = Console()
err = Console(stderr=True)


def main() -> NoReturn:
    """The command `cadenza`."""
    # A pipe that is closed early (cadenza ... | head) ends us quietly, as it does other programs.
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # Neither a sharp sign nor the name of a file is worth a traceback where the terminal cannot show it.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = app(standalone_mode=False)
        if status == INTERRUPTED:
            raise KeyboardInterrupt
    except CadenzaError as error:
        _fail(str(error))
    except typer.TyperException as error:
        if not error.format_message():  # the help was shown
            sys.exit(2)
        _fail(f"{error.format_message()} (cadenza --help shows how)")
    except (KeyboardInterrupt, typer.Abort):
        sys.stdout.flush()
        print("cadenza: stopped", file=sys.stderr, flush=True)
        if _end_workers():
            sys.exit(INTERRUPTED)  # which frees what they shared
        # Not by sys.exit: Python would die of the signal where the interrupt came through its exec(), as it
        # does while a dataclass is made, and show a traceback where another follows.
        os._exit(INTERRUPTED)
    sys.exit(status if isinstance(status, int) else 0)


def _end_workers() -> bool:
    """Ends the processes that prepare a corpus, which leave Ctrl-C to us; whether there were any."""
    if "multiprocessing" not in sys.modules:
        return False
    workers = sys.modules["multiprocessing"].active_children()
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # what is still being told to them goes nowhere
    for worker in workers:
        worker.kill()
    for worker in workers:
        worker.join()
    return bool(workers)


def _fail(message: str) -> NoReturn:
    _say(message)
    sys.exit(2)


def _say(message: str) -> None:
    """A line on standard error."""
    # Plain, not through rich: a file's name may look like markup, and wrapping would break the line.
    print("cadenza:", " ".join(message.split()), file=sys.stderr)


def _version(wanted: bool) -> None:
    if wanted:
        out.print(f"cadenza {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None: ...


# --- Composing ------------------------------------------------------------------------------------
Out = Annotated[Path, typer.Option("-o", "--out", help="MIDI file to write.", show_default=True)]
Seed = Annotated[int, typer.Option(help="Same seed, same music.")]
Takes = Annotated[int, typer.Option(help="Versions, 1 to 99: NAME-1.mid, ..., seeds SEED, SEED+1, ...")]
Temperature = Annotated[float, typer.Option(help="0 to 5: 0 plays safe, 1 as learnt, above wild.")]
TopP = Annotated[float, typer.Option("--top-p", help="Above 0, to 1: draw among the likeliest that hold it.")]
TopK = Annotated[int, typer.Option("--top-k", help="Draw among so many of the likeliest; 0: no limit.")]
Penalty = Annotated[
    float, typer.Option("--repetition-penalty", help="1 to 10: above 1, recent pitches are less likely.")
]
Greedy = Annotated[float, typer.Option(help="0 to 1: share of the draws that take the likeliest.")]
Key = Annotated[str | None, typer.Option(help='Only pitches of a key, such as "C minor" or "F# major".')]
Range = Annotated[str | None, typer.Option(help="Only pitches from one to another, such as C3-C6.")]
Style = Annotated[
    str | None, typer.Option(help="pop, classical or chorale; by default what the prompt is likest.")
]
ModelName = Annotated[
    str, typer.Option("--model", help="A shipped model (cadenza models) or a checkpoint folder.")
]
Wav = Annotated[bool, typer.Option("--wav", help="Write the sound as well.")]
Mp3 = Annotated[bool, typer.Option("--mp3", help="Write the sound as MP3 as well.")]
Png = Annotated[bool, typer.Option("--png", help="Write a picture of the piano roll as well.")]
Soundfont = Annotated[Path | None, typer.Option(help="SoundFont (.sf2, .sf3) to play with.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of words.")]


@app.command("continue")
def continue_(
    prompt: Annotated[Path, typer.Argument(help="MIDI file to go on from.")],
    *,
    out_file: Out = Path("continued.mid"),
    bars: Annotated[int, typer.Option(help="Bars to add, 1 to 1024.")] = 8,
    seed: Seed = 1,
    takes: Takes = 1,
    temperature: Temperature = 1.0,
    top_p: TopP = 0.94,
    top_k: TopK = 0,
    repetition_penalty: Penalty = 1.0,
    greedy: Greedy = 0.0,
    key: Key = None,
    pitch_range: Annotated[str | None, typer.Option("--range", help="Only pitches such as C3-C6.")] = None,
    style: Style = None,
    model: ModelName = "composer",
    wav: Wav = False,
    mp3: Mp3 = False,
    png: Png = False,
    soundfont: Soundfont = None,
    as_json: AsJson = False,
) -> None:
    """Go on where a MIDI file stops. The file's own notes come back untouched.

    [bold]cadenza continue in.mid -o out.mid --bars 8 --takes 4 --wav[/bold]

    [bold]cadenza continue in.mid --key "C minor" --range C2-C6 --temperature 0.9[/bold]
    """
    from cadenza import compose
    from cadenza.midi import read_midi

    wish = compose.Wish(
        bars,
        seed,
        style,
        compose.Constraints.parse(key, pitch_range),
        compose.Sampling(temperature, top_p, top_k, repetition_penalty, greedy),
    )
    score = read_midi(prompt)
    _named(prompt, lambda: compose.hear(score))
    writer = _Writer(_take_paths(out_file, takes), soundfont, prompt, wav=wav, mp3=mp3, png=png)
    player = compose.load_model(model)
    _compose(lambda w: compose.continue_(score, w, model=player), wish, writer, as_json)


@app.command()
def compose(
    *,
    out_file: Out = Path("composed.mid"),
    style: Annotated[
        str | None,
        typer.Option(help="pop, classical or chorale, or what --model knows (its first)."),
    ] = None,
    bars: Annotated[int, typer.Option(help="Length in bars, 1 to 1024.")] = 16,
    tempo: Annotated[
        float | None, typer.Option(help="Quarter notes a minute, 10 to 480; by default the style's.")
    ] = None,
    metre: Annotated[
        str | None, typer.Option(help="Time signature, such as 3/4 or 6/8; by default 4/4.")
    ] = None,
    corpus: Annotated[
        str | None,
        typer.Option("--from", help="Go on from a random place in a corpus or folder, and leave that out."),
    ] = None,
    seed: Seed = 1,
    takes: Takes = 1,
    temperature: Temperature = 1.0,
    top_p: TopP = 0.94,
    top_k: TopK = 0,
    repetition_penalty: Penalty = 1.0,
    greedy: Greedy = 0.0,
    key: Key = None,
    pitch_range: Annotated[str | None, typer.Option("--range", help="Only pitches such as C3-C6.")] = None,
    model: ModelName = "composer",
    wav: Wav = False,
    mp3: Mp3 = False,
    png: Png = False,
    soundfont: Soundfont = None,
    as_json: AsJson = False,
) -> None:
    """Compose a piece from nothing.

    [bold]cadenza compose --style pop --bars 16 --tempo 96 -o out.mid --wav --png[/bold]

    [bold]cadenza compose --model note_lstm --from pop909[/bold]
    """
    from cadenza import compose

    wish = compose.Wish(
        bars,
        seed,
        style,
        compose.Constraints.parse(key, pitch_range),
        compose.Sampling(temperature, top_p, top_k, repetition_penalty, greedy),
    )
    if corpus is not None and (tempo is not None or metre is not None):
        raise CadenzaError("with --from, tempo and metre are the corpus's: leave --tempo and --metre out")
    signature = _metre("4/4" if metre is None else metre)
    writer = _Writer(_take_paths(out_file, takes), soundfont, wav=wav, mp3=mp3, png=png)
    player = compose.load_model(model)

    def take(one: Any) -> Any:
        if corpus is not None:
            return compose.generate_after(corpus, one, model=player)
        return compose.generate(one, tempo=tempo, metre=signature, model=player)

    _compose(take, wish, writer, as_json)


def _metre(text: str) -> tuple[int, int]:
    if not re.fullmatch(r"[0-9]{1,9}/[0-9]{1,9}", text):
        raise CadenzaError(f"no metre {text!r}: say for example 3/4")
    numerator, denominator = text.split("/")
    return int(numerator), int(denominator)


def _take_paths(path: Path, takes: int) -> list[Path]:
    if not 1 <= takes <= 99:
        raise CadenzaError(f"the number of takes must be from 1 to 99, not {takes}")
    if path.suffix.lower() not in (".mid", ".midi"):
        raise CadenzaError(f"{path}: the output is MIDI, so its name should end in .mid")
    if takes == 1:
        return [path]
    return [path.with_name(f"{path.stem}-{i}{path.suffix}") for i in range(1, takes + 1)]


class _Writer:
    """Writes takes in every form that was asked for.

    What keeps it from that is found before anything is drawn, so that a mistake costs no time. `source` is a
    file that must not be overwritten.
    """

    def __init__(
        self,
        paths: list[Path],
        soundfont: Path | None,
        source: Path | None = None,
        *,
        wav: bool,
        mp3: bool,
        png: bool,
    ) -> None:
        self.paths, self.wav, self.mp3, self.png = paths, wav, mp3, png
        for path in paths:
            for file in self.files(path):
                _check_output(file, source)
        if wav or mp3:
            from cadenza import audio

            self._bank = audio.load_bank(soundfont)

    def files(self, path: Path) -> list[Path]:
        """What is written for a take: its MIDI file, and sound and picture beside it."""
        suffixes = {".wav": self.wav, ".mp3": self.mp3, ".png": self.png}
        return [path, *(path.with_suffix(suffix) for suffix, wanted in suffixes.items() if wanted)]

    def write(self, score: Any, path: Path, prompt_end: int, title: str) -> None:
        """Writes the files of one take."""
        from cadenza.midi import write_midi

        write_midi(score, path)
        if self.wav or self.mp3:
            from cadenza import audio

            samples = audio.render(score, self._bank)
            if self.wav:
                audio.write_wav(samples, path.with_suffix(".wav"))
            if self.mp3:
                audio.write_mp3(samples, path.with_suffix(".mp3"))
        if self.png:
            from cadenza.plot import piano_roll

            piano_roll(score, path.with_suffix(".png"), prompt_end=prompt_end or None, title=title)


def _check_output(path: Path, source: Path | None) -> None:
    """Raises CadenzaError where a file cannot be written, or is the one that was read."""
    check_writable(path)
    if source is not None and path.exists() and path.samefile(source):
        raise CadenzaError(f"{path}: not written: this is the file that was read; name another with -o")


def _compose(take_of: Callable[[Any], Any], wish: Any, writer: _Writer, as_json: bool) -> None:
    """Draws and writes all takes or none, then says what there is."""
    takes: list[dict[str, Any]] = []
    lines: list[str] = []
    remarks: dict[str, None] = {}
    with all_or_none():
        for i, path in enumerate(writer.paths):
            take = take_of(replace(wish, seed=wish.seed + i))
            writer.write(take.score, path, take.prompt_end, f"{path.stem}: {take.model}, seed {take.seed}")
            files = [str(file) for file in writer.files(path)]
            takes.append(
                {
                    "model": take.model,
                    "style": take.style,
                    "seed": take.seed,
                    "notes": len(take.added),
                    "bars": take.bars,
                    "seconds": round(take.seconds, 3),
                    "notes_per_second": round(take.notes_per_second, 1),
                    "remarks": take.remarks,
                    "files": files,
                }
            )
            remarks |= dict.fromkeys(take.remarks)
            lines.append(
                f"{_counted(take.bars, 'bar')}, {_counted(len(take.added), 'note')} "
                f"in {take.seconds:.1f} s ({_manner(take)}seed {take.seed}): " + ", ".join(files)
            )
    lines += [f"({remark})" for remark in remarks]
    if as_json:
        print(json.dumps(takes[0] if len(takes) == 1 else {**takes[0], **_summed(takes), "takes": takes}))
    else:
        out.print("\n".join(lines), soft_wrap=True, highlight=False, markup=False)


def _summed(takes: list[dict[str, Any]]) -> dict[str, Any]:
    """Totals of several takes."""
    notes, seconds = sum(t["notes"] for t in takes), sum(t["seconds"] for t in takes)
    return {
        "notes": notes,
        "seconds": round(seconds, 3),
        "notes_per_second": round(notes / seconds, 1) if seconds else 0.0,
        "files": [file for t in takes for file in t["files"]],
    }


def _manner(take: Any) -> str:
    return f"{take.style}, " if take.style else ""


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _named(path: Path, call: Callable[[], Any]) -> Any:
    """What a call returns; an error names the file it is about."""
    try:
        return call()
    except CadenzaError as error:
        raise CadenzaError(f"{path}: {error}") from error


# --- Looking and listening ------------------------------------------------------------------------
@app.command()
def inspect(
    files: Annotated[list[Path], typer.Argument(help="MIDI files.")],
    as_json: AsJson = False,
) -> None:
    """Say what is in a MIDI file: notes, bars, tempo, metre, key, grid, and what is wrong with it.

    [bold]cadenza inspect in.mid[/bold]
    """
    from cadenza.inspection import inspect_score
    from cadenza.midi import read_midi

    failed = False
    for path in files:
        try:
            inspection = inspect_score(read_midi(path))
        except CadenzaError as error:
            # One bad file among many should not hide the others.
            failed = True
            _say(str(error))
            continue
        if as_json:
            print(json.dumps({"file": str(path)} | inspection.as_dict()))
            continue
        # As Text: names of files and tracks may look like markup.
        table = Table(title=Text(str(path)), title_justify="left", show_header=False, box=None)
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        for name, value in inspection.lines():
            table.add_row(name, Text(value))
        out.print(table)
    if failed:
        raise typer.Exit(2)


@app.command()
def render(
    file: Annotated[Path, typer.Argument(help="MIDI file.")],
    out_file: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="WAV, MP3 or PNG file; by default the MIDI file's name in .wav."),
    ] = None,
    soundfont: Soundfont = None,
) -> None:
    """Turn a MIDI file into sound (.wav, .mp3) or a picture (.png).

    [bold]cadenza render in.mid -o in.mp3[/bold]
    """
    from cadenza.midi import read_midi

    score = read_midi(file)
    target = out_file or file.with_suffix(".wav")
    kind = target.suffix.lower()
    if kind not in (".wav", ".mp3", ".png"):
        raise CadenzaError(f"{target}: the name should end in .wav, .mp3 or .png")
    drums = len(score.notes) - len(score.pitched_notes)
    if drums == len(score.notes):
        raise CadenzaError(
            f"{file}: there {'are only drums' if drums else 'is no note'} in it: nothing to play"
        )
    _check_output(target, source=file)
    if kind == ".png":
        from cadenza.plot import piano_roll

        piano_roll(score, target, title=file.stem)
    else:
        from cadenza import audio

        samples = audio.render(score, audio.load_bank(soundfont))
        (audio.write_wav if kind == ".wav" else audio.write_mp3)(samples, target)
    if drums:
        _say(f"{file}: {_counted(drums, 'drum note')} left out")
    out.print(str(target), markup=False, highlight=False, soft_wrap=True)


@app.command()
def studio(
    *,
    host: Annotated[
        str, typer.Option(help="Address to serve at; 0.0.0.0 lets the whole network in.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to serve at; 0: any that is free.")
    ] = 8711,
    model: ModelName = "composer",
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open it in the browser.")] = True,
) -> None:
    """Open the studio: a piano roll in the browser that writes with you.

    [bold]cadenza studio[/bold]
    """
    from cadenza.server.serving import serve

    def told(address: str) -> None:
        out.print(f"The studio is open at {address} (Ctrl-C closes it)", markup=False, highlight=False)

    serve(host, port, model, browser=browser, told=told)


# --- Corpora and training -------------------------------------------------------------------------
def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )


def _prepared(name: str) -> Any:
    from cadenza.dataset import prepare

    with _progress() as progress:
        task = progress.add_task(f"preparing {name}", total=None, note="")
        return prepare(name, lambda done, total: progress.update(task, completed=done, total=total))


@corpus_app.command("list")
def corpus_list() -> None:
    """List the corpora that Cadenza knows, their licences, and which are here.

    [bold]CADENZA_DATA=~/music cadenza corpus list[/bold]
    """
    from importlib.util import find_spec

    from cadenza.corpus import CORPORA, find_corpus

    table = Table(box=None, header_style="bold")
    for column in ("name", "here", "what it is", "licence"):
        table.add_column(column, overflow="fold")
    for name, corpus in CORPORA.items():
        try:
            find_corpus(name)
            here = "yes" if not corpus.needs or find_spec(corpus.needs) else "needs the extra corpora"
        except CadenzaError:
            here = "no"
        table.add_row(name, here, corpus.title, corpus.licence)
    out.print(table)


@corpus_app.command("fetch")
def corpus_fetch(name: Annotated[str, typer.Argument(help="A corpus of cadenza corpus list.")]) -> None:
    """Download a corpus into the cache and check it, where it can be downloaded.

    [bold]cadenza corpus fetch maestro[/bold]
    """
    from cadenza.corpus import fetch

    with _progress() as progress:
        task = progress.add_task(f"fetching {name}", total=None, note="bytes")
        fetched = fetch(name, lambda done, total: progress.update(task, completed=done, total=total or None))
    state = "as expected" if fetched.verified else "not checked: none is published"
    digest = f" (SHA-256 {fetched.sha256}, {state})" if fetched.sha256 else " (was there)"
    out.print(f"{fetched.folder}{digest}", markup=False, highlight=False, soft_wrap=True)


@corpus_app.command("prepare")
def corpus_prepare(
    name: Annotated[str, typer.Argument(help="A corpus (cadenza corpus list) or a folder of MIDI files.")],
) -> None:
    """Read a corpus once and keep it as arrays, ready for training; rejected files are listed.

    [bold]cadenza corpus prepare pop909[/bold]   [bold]cadenza corpus prepare ~/my-midi[/bold]
    """
    prepared = _prepared(name)
    _say_prepared(prepared)
    for file, reason in prepared.rejected:
        out.print(f"rejected {file}: {reason}", markup=False, highlight=False, soft_wrap=True)


@corpus_app.command("show")
def corpus_show(
    name: Annotated[str, typer.Argument(help="A corpus or a folder of MIDI files.")],
) -> None:
    """Show where a corpus comes from, its terms, its splits and what is known against it.

    [bold]cadenza corpus show classical[/bold]
    """
    from cadenza.corpus import find_corpus

    corpus, _ = find_corpus(name)
    for label, value in (
        ("title", corpus.title),
        ("origin", corpus.origin),
        ("licence", corpus.licence),
        ("style", corpus.style),
        ("notes", corpus.notes or "-"),
    ):
        out.print(f"{label:8} {value}", markup=False, highlight=False, soft_wrap=True)
    _say_prepared(_prepared(name))


def _say_prepared(prepared: Any) -> None:
    table = Table(box=None, header_style="bold")
    for column in ("split", "pieces", "notes", "metrical", "free"):
        table.add_column(column, justify="left" if column == "split" else "right")
    for split in ("train", "valid", "test"):
        pieces = prepared.side(split)
        metrical = sum(p.grid == "metrical" for p in pieces)
        notes = sum(p.rows for p in pieces)
        table.add_row(split, str(len(pieces)), f"{notes:,}", str(metrical), str(len(pieces) - metrical))
    out.print(table)
    out.print(
        f"{len(prepared.rejected)} files rejected; digest {prepared.digest[:16]}; kept in {prepared.folder}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(help="Recipe: a TOML file (see recipes/).")],
    folder: Annotated[
        Path | None,
        typer.Option("--run", help="Folder of the run; by default runs/NAME. A run that is there goes on."),
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="Change a value: training.steps=500 (may be repeated).")
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(help="Checkpoint folder whose weights a new run begins with: short for training.init."),
    ] = None,
    reset: Annotated[
        str | None,
        typer.Option(help="Parameters of --init that begin anew, by how their names begin: training.reset."),
    ] = None,
) -> None:
    """Train a model as a recipe says. Interrupted, the same command goes on where it stopped.

    [bold]cadenza train recipes/composer.toml --set training.steps=500[/bold]
    """
    from cadenza.models import MODELS
    from cadenza.recipe import load_recipe

    changed = dict(_change(c) for c in changes or [])
    # Quoted, as TOML has it: the name of a folder may look like a number.
    changed |= {
        f"training.{k}": json.dumps(v) for k, v in (("init", init), ("reset", reset)) if v is not None
    }
    recipe_read = load_recipe(recipe, changed)
    try:
        from cadenza.train import train as run_training
    except ModuleNotFoundError as error:
        raise CadenzaError(f"training needs {error.name}: pip install 'cadenza[train]'") from error
    target = folder or Path("runs") / recipe.stem
    with _progress() as progress:
        # How many steps an epoch has is known once the corpora are prepared.
        steps = None if recipe_read.training.epochs else recipe_read.training.steps
        task = progress.add_task(str(target), total=steps, note="")
        unit = MODELS[recipe_read.model].unit

        def on_event(event: dict[str, Any]) -> None:
            progress.update(task, completed=event["step"], note=f"{event['loss']:.3f} nats a {unit}")
            if "valid" in event:
                valid = ", ".join(f"{name} {nats:.3f}" for name, nats in event["valid"].items())
                progress.console.print(f"step {event['step']}: {valid}", markup=False, highlight=False)

        run_training(recipe_read, target, on_event)
    out.print(f"{target / 'best'}", markup=False, highlight=False, soft_wrap=True)


def _change(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or "." not in key:
        raise CadenzaError(f"--set {text}: say SECTION.KEY=VALUE, for example training.steps=500")
    return key.strip(), value.strip()


@app.command()
def models(as_json: AsJson = False) -> None:
    """List the models that ship with Cadenza: paper, size, training data, likelihood.

    [bold]cadenza models[/bold]
    """
    from cadenza.checkpoint import load_checkpoint, load_tensors
    from cadenza.models import MODELS
    from cadenza.players import model_folders

    rows: list[dict[str, Any]] = []
    for name, folder in model_folders().items():
        # Not loaded to play, for which some need torch.
        checkpoint = load_checkpoint(folder)
        if checkpoint.model not in MODELS:
            raise CadenzaError(f"{folder} holds a {checkpoint.model}, which this version does not know")
        kind = MODELS[checkpoint.model]
        rows.append(
            {
                "name": name,
                "kind": checkpoint.model,
                "paper": kind.paper,
                "parameters": sum(tensor.size for tensor in load_tensors(folder, checkpoint).values()),
                "styles": list(checkpoint.sizes.get("styles", [])),
                "trained_on": list(checkpoint.corpora),
                "unit": kind.unit,
                f"nats_per_{kind.unit}": checkpoint.valid,
            }
        )
    if as_json:
        print(json.dumps(rows))
        return
    table = Table(box=None, header_style="bold")
    for column in ("name", "paper", "parameters", "styles", "nats (validation)"):
        table.add_column(column, overflow="fold")
    for row in rows:
        nats = row[f"nats_per_{row['unit']}"]
        valid = ", ".join(f"{name} {value:.2f}" for name, value in nats.items())
        valid = f"{valid} a {row['unit']}" if valid else "-"
        size, styles = f"{row['parameters']:,}", ", ".join(row["styles"]) or "-"
        table.add_row(row["name"], row["paper"] or "-", size, styles, valid)
    out.print(table)
