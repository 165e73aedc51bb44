"""Folders that several tests read."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "models"
RECIPES = MODELS / "recipes"
TESTS = ROOT / "tests"
DATA = TESTS / "data"
PAGES = DATA / "pages"  # pages that tests open in a browser
SITES = DATA / "sites"  # a site for each host that the plugin runs in
SPECS = DATA / "specs"
