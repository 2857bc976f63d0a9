from pathlib import Path

import pytest

from cadenza.architecture import ComposerConfig
from cadenza.errors import CadenzaError
from cadenza.recipe import DataConfig, load_recipe

ROOT = Path(__file__).resolve().parent.parent

TEXT = """
[model]
name = "composer"
width = 64
heads = 2
[data]
corpora = ["mine"]
[data.augmentation]
transpose = 0
[training]
steps = 7
rate = 1
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "r.toml"
    path.write_text(TEXT)
    return path


def test_values_of_the_file_and_defaults(path: Path) -> None:
    recipe = load_recipe(path)
    assert isinstance(recipe.sizes, ComposerConfig)
    assert (recipe.sizes.width, recipe.sizes.layers) == (64, 4)
    assert recipe.data.corpora == ("mine",)
    assert isinstance(recipe.data, DataConfig)
    assert (recipe.data.augmentation.transpose, recipe.data.augmentation.velocity) == (0, 8)
    assert recipe.training.steps == 7
    assert isinstance(recipe.training.rate, float)


def test_changes_go_before_the_file(path: Path) -> None:
    recipe = load_recipe(
        path, {"training.steps": "9", "data.corpora": '["a", "b"]', "training.optimiser": "adamw"}
    )
    assert (recipe.training.steps, recipe.data.corpora, recipe.training.optimiser) == (9, ("a", "b"), "adamw")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "training.stps",
            "9",
            r"training\.stps: no such key; did you mean steps\? There are init",
        ),
        ("training.steps", "many", r"training\.steps: 'many' should be a whole number, as in 6000"),
        ("training.optimiser", "sgd", r"training\.optimiser: 'sgd' should be one of muon, adamw"),
        ("model.name", "gpt", "unknown model 'gpt'; there are composer"),
        ("model.width", "100", "width must be 32 times heads"),
        ("nonsense.x", "1", "unknown section 'nonsense'"),
        ("training.steps.x", "5", r"training\.steps\.x: no such key: training\.steps is a value"),
        ("data.augmentation", "3", r"data\.augmentation is a table of keys, not 3"),
        ("data.augmentation.loudness", "1", r"data\.augmentation\.loudness: no such key"),
    ],
)
def test_mistakes(path: Path, key: str, value: str, message: str) -> None:
    with pytest.raises(CadenzaError, match=message):
        load_recipe(path, {key: value})


def test_no_file_and_no_toml(path: Path, tmp_path: Path) -> None:
    with pytest.raises(CadenzaError, match=r"cannot read the recipe .*: No such file"):
        load_recipe(tmp_path / "none.toml")
    path.write_text("[model\n")
    with pytest.raises(CadenzaError, match="is no valid TOML"):
        load_recipe(path)


@pytest.mark.parametrize("recipe", sorted((ROOT / "recipes").glob("*.toml")), ids=lambda path: path.stem)
def test_our_own_recipes_are_valid(recipe: Path) -> None:
    assert load_recipe(recipe).training.steps > 0
