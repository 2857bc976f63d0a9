"""Commands about corpora, training and models."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.markup import escape
from rich.table import Table

from cadenza.cli.shell import AsJson, app, out, progress
from cadenza.errors import CadenzaError


def _prepared(name: str) -> Any:
    from cadenza.dataset import prepare

    with progress() as bar:
        task = bar.add_task(f"preparing {name}", total=None, note="")
        return prepare(name, lambda done, total: bar.update(task, completed=done, total=total))


corpus_app = typer.Typer(help="The music that models are trained on.", no_args_is_help=True)
app.add_typer(corpus_app, name="corpus")


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

    with progress() as bar:
        task = bar.add_task(f"fetching {name}", total=None, note="bytes")
        fetched = fetch(name, lambda done, total: bar.update(task, completed=done, total=total or None))
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


@corpus_app.command("tokens")
def corpus_tokens(
    name: Annotated[str, typer.Argument(help="A corpus or a folder of MIDI files.")],
    form: Annotated[str, typer.Option(help="chords, truncated, messages, names or performance.")] = "chords",
    steps: Annotated[int, typer.Option(min=1, help="Of chords, tokens in a quarter note.")] = 2,
    as_json: AsJson = False,
) -> None:
    """Count a corpus's tokens as a model of tokens reads them: vocabulary, rare ones, counts by rank.

    [bold]cadenza corpus tokens chorales --form messages[/bold]
    """
    from cadenza.dataset import prepare_as
    from cadenza.representation.tokens import Vocabulary
    from cadenza.sizes import token_form

    chosen = token_form(cast(Any, form), steps)
    with progress() as bar:
        task = bar.add_task(f"preparing {name}", total=None, note="")
        corpus = prepare_as(chosen, name, lambda done, total: bar.update(task, completed=done, total=total))
    pieces = corpus.side("train")
    if not pieces:
        raise CadenzaError(f"no piece of {name} is trained on: there are no tokens to count")
    vocabulary = Vocabulary.of(chosen, (corpus.sequence(piece).words for piece in pieces))
    about = vocabulary.statistics
    ranks = [rank for rank in RANKS if rank <= len(vocabulary)]
    top = [
        (rank, int(vocabulary.counts[rank - 1]), chosen.spell(vocabulary.words[rank - 1])) for rank in ranks
    ]
    if as_json:
        named = [{"rank": rank, "count": count, "token": token} for rank, count, token in top]
        out.print_json(
            data={"corpus": name, "form": form, "pieces": len(pieces), **asdict(about), "ranks": named}
        )
        return
    out.print(
        f"{about.tokens:,} tokens of {len(pieces):,} training pieces; {about.vocabulary:,} different ones, "
        f"{about.rare:.1%} of them seen fewer than ten times",
        highlight=False,
        soft_wrap=True,
    )
    table = Table(box=None, header_style="bold")
    for column in ("rank", "count", "token"):
        table.add_column(column, justify="left" if column == "token" else "right")
    for rank, count, token in top:
        table.add_row(f"{rank:,}", f"{count:,}", escape(token))
    out.print(table)


RANKS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)
"""Whose tokens and counts are shown."""


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
    with progress() as bar:
        # How many steps an epoch has is known once the corpora are prepared.
        steps = None if recipe_read.training.epochs else recipe_read.training.steps
        task = bar.add_task(str(target), total=steps, note="")
        unit = MODELS[recipe_read.model].unit

        def on_event(event: dict[str, Any]) -> None:
            bar.update(task, completed=event["step"], note=f"{event['loss']:.3f} nats a {unit}")
            for when, nats in (
                ("before", event.get("before")),
                (f"step {event['step']}", event.get("valid")),
            ):
                if nats:
                    words = ", ".join(f"{name} {value:.3f}" for name, value in nats.items())
                    bar.console.print(f"{when}: {words}", markup=False, highlight=False)

        run_training(recipe_read, target, on_event)
    out.print(f"{target / 'best'}", markup=False, highlight=False, soft_wrap=True)


def _change(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if key.strip() == "corpus":  # short for the one corpus of a recipe
        return "data.corpora", json.dumps([value.strip()])
    if not equals or "." not in key:
        raise CadenzaError(f"--set {text}: say SECTION.KEY=VALUE, for example training.steps=500")
    return key.strip(), value.strip()


@app.command()
def quantise(
    model: Annotated[str, typer.Argument(help="A shipped model (cadenza models) or a checkpoint folder.")],
    *,
    out_folder: Annotated[Path, typer.Option("-o", "--out", help="Folder to write, which is not there yet.")],
) -> None:
    """Store a model in a quarter of the space: its matrices in 8 bits, with a scale for each row.

    [bold]cadenza quantise runs/composer/best -o small[/bold]   [bold]cadenza compose --model small[/bold]
    """
    from cadenza.checkpoint import PARAMETERS, load_checkpoint
    from cadenza.checkpoint import quantise as write
    from cadenza.players import find_model

    folder = find_model(model)
    saved = write(folder, out_folder)
    before = (folder / load_checkpoint(folder).files[PARAMETERS]).stat().st_size
    after = (out_folder / saved.files[PARAMETERS]).stat().st_size
    text = f"{out_folder}: {after:,} bytes of weights instead of {before:,} ({saved.model})"
    out.print(text, markup=False, highlight=False, soft_wrap=True)


@app.command()
def average(
    stages: Annotated[
        list[str], typer.Argument(metavar="STAGES...", help="Checkpoint folders of one training, in order.")
    ],
    *,
    out_folder: Annotated[Path, typer.Option("-o", "--out", help="Folder to write, which is not there yet.")],
) -> None:
    """Average the weights of several stages of a training, which is mostly better than each of them.

    [bold]cadenza average runs/first/best runs/second/best -o runs/mean[/bold]
    """
    from cadenza.checkpoint import average as write
    from cadenza.players import find_model

    saved = write([find_model(name) for name in stages], out_folder)
    text = f"{out_folder}: the mean of {len(stages)} checkpoints ({saved.model})"
    out.print(text, markup=False, highlight=False, soft_wrap=True)


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
