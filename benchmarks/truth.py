"""What RingTrue's policy gets right and what it costs, in a world whose truth is known: `python -m benchmarks.truth [--quick]`.

Simulates two years of a list of 100,000 numbers and compares RingTrue with checking everything monthly or quarterly, never checking, and three strikes, for five
seeds and for worlds twice and half as harsh. Every property of the world is an option. Worlds already simulated are kept in `--keep` and not run again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks import truth_report as report
from benchmarks.truth_judge import Tally
from benchmarks.truth_ringtrue import Tactics
from benchmarks.truth_run import POLICIES, prepared, run
from benchmarks.truth_settings import Settings, changed, plain_fields
from ringtrue.policy import Policy

HERE = Path(__file__).parent
RIVALS = ("monthly", "quarterly", "never", "strikes")
BUDGETS = (0.02, 0.06, 0.12, 0.30, None)
_CURVE_NUMBERS = 20_000
_MARK = "<!-- results -->"
_SHOWN = re.compile(r"(?<=<!-- truth -->\n).*(?=<!-- end of truth -->)", re.DOTALL)
"""Where benchmarks/README.md shows the usual world."""


def simulated(settings: Settings, names: tuple[str, ...], tactics: Tactics, keep: Path | None) -> dict[str, Tally]:
    """Run these policies through one world, each kept as a file under `keep`."""
    found: dict[str, Tally] = {}
    prefix = hashlib.sha256(f"{settings} {Policy().version} {_code()}".encode()).hexdigest()[:12]
    files = {name: keep / f"{prefix}-{name}{_suffix(name, tactics)}.json" for name in names} if keep else {}
    for name, file in files.items():
        if file.exists():
            found[name] = _from_json(json.loads(file.read_text(encoding="utf-8")))
    missing = [name for name in names if name not in found]
    if missing:
        world, plan = prepared(settings)
        for name in missing:
            found[name] = run(name, world, plan, tactics=tactics)
            if keep:
                keep.mkdir(parents=True, exist_ok=True)
                whole = files[name].with_suffix(".part")
                whole.write_text(json.dumps(_as_json(found[name])), encoding="utf-8")
                whole.replace(files[name])
    return found


def _suffix(name: str, tactics: Tactics) -> str:
    """What sets one run of a policy apart from another in the same world."""
    learn = "" if tactics.learn == Tactics().learn else f"-{tactics.learn}"
    return {"ringtrue": f"-{tactics.budget}{learn}", "eager": learn, "calls": learn}.get(name, "")


@cache
def _code() -> str:
    """Changes with the code that a result depends on: a result of other code is no result."""
    core = HERE.parent / "ringtrue"
    files = [
        *(file for file in HERE.glob("truth_*.py") if file.name != "truth_report.py"),
        *core.glob("status*.py"),
        *(
            core / f"{name}.py"
            for name in ("trunks", "suspensions", "expectations", "staleness", "source_grades", "record_status")
        ),
        *core.joinpath("data", "lookups").glob("*.toml"),
    ]
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(files))).hexdigest()


def _as_json(tally: Tally) -> dict[str, object]:
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in asdict(tally).items()}


def _from_json(values: dict[str, object]) -> Tally:
    arrays = {one.name for one in fields(Tally) if isinstance(getattr(Tally(""), one.name), np.ndarray)}
    return Tally(**{name: np.array(value) if name in arrays else value for name, value in values.items()})  # type: ignore[arg-type]  # read back from its own JSON


def options() -> argparse.ArgumentParser:
    """The command's options; every number in `Settings` is one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.truth", description=__doc__)
    parser.add_argument("--seeds", default="1,2,3,4,5", help="seeds of the worlds")
    parser.add_argument(
        "--worlds", default="1,2,0.5", help="how harsh the worlds are; 1 is the world as its settings say"
    )
    parser.add_argument("--quick", action="store_true", help="10,000 numbers, 12 months, two seeds, worlds 1 and 2")
    parser.add_argument(
        "--budget",
        type=float,
        default=Tactics().budget,
        help="RingTrue's money, as a share of what asking every number monthly costs",
    )
    parser.add_argument(
        "--learn",
        choices=("both", "hazards", "priors", "nothing"),
        default=Tactics().learn,
        help="what decisions take from the ledger: the sources' shares of dead numbers, the hazards of lines",
    )
    parser.add_argument(
        "--curve", action=argparse.BooleanOptionalAction, default=True, help="draw the curve of spend and dials avoided"
    )
    parser.add_argument("--image", type=Path, default=HERE / "images" / "truth.png")
    parser.add_argument("--write", action="store_true", help="put the results into benchmarks/truth.md")
    parser.add_argument("--keep", type=Path, default=Path(".bench") / "truth", help="where finished runs are kept")
    parser.add_argument("--jobs", type=int, default=1, help="worlds simulated at the same time; each takes 1 GiB")
    parser.add_argument(
        "--source", action="append", default=[], metavar="NAME.FIELD=VALUE", help="change a lead source"
    )
    parser.add_argument(
        "--service", action="append", default=[], metavar="NAME.FIELD=VALUE", help="change a lookup service"
    )
    for name, kind, default in plain_fields():
        if name not in ("seed", "harshness"):
            parser.add_argument(
                f"--{name.replace('_', '-')}", type=kind, default=default, help=f"(default {default:g})"
            )
    return parser


def chosen(arguments: argparse.Namespace) -> Settings:
    """The base world of the options. Raises ValueError for a source or service that does not exist."""
    plain = {name: getattr(arguments, name) for name, _, _ in plain_fields() if name not in ("seed", "harshness")}
    if arguments.quick:
        plain |= {"numbers": min(plain["numbers"], 10_000), "months": min(plain["months"], 12)}
    return changed(Settings(**plain), arguments.source, arguments.service)


def main(argv: list[str] | None = None) -> None:
    """Simulate, print the tables, draw the curve."""
    arguments = options().parse_args(argv)
    base = chosen(arguments)
    seeds = [int(one) for one in ("1,2" if arguments.quick else arguments.seeds).split(",")]
    harsh = [float(one) for one in ("1,2" if arguments.quick else arguments.worlds).split(",")]
    keys = [(harshness, seed) for harshness in harsh for seed in seeds]
    tactics = Tactics(budget=arguments.budget, learn=arguments.learn)
    results: report.Results = {}
    with ProcessPoolExecutor(arguments.jobs) as pool:
        running = {
            key: pool.submit(
                simulated,
                replace(base, harshness=key[0], seed=key[1]),
                tuple(POLICIES) if key[1] == seeds[0] else ("ringtrue", *RIVALS),
                tactics,
                arguments.keep,
            )
            for key in keys
        }
        for key, future in running.items():
            results[key] = future.result()
            done = results[key]["ringtrue"]
            print(f"world {key[0]:g} x, seed {key[1]}: {done.seconds:.0f} s for RingTrue", flush=True)
    text = _told(results, harsh, seeds)
    if arguments.curve:
        text += _curve(base, harsh[0], seeds[0], tactics, arguments)
    print(text)
    if arguments.write:
        page = HERE / "truth.md"
        before = page.read_text(encoding="utf-8").partition(_MARK)[0]
        title = (
            f"{base.numbers:,} numbers, {base.months} months, {len(seeds)} seeds. Written {datetime.now(UTC):%d %B %Y}."
        )
        page.write_text(f"{before}{_MARK}\n\n{title}\n{text}\n", encoding="utf-8")
        overview = HERE / "README.md"
        shown = f"\n{title}\n\n{_usual_world(results, harsh[0])}\n\n"
        overview.write_text(_SHOWN.sub(lambda _: shown, overview.read_text(encoding="utf-8")), encoding="utf-8")


def _told(results: report.Results, harsh: list[float], seeds: list[int]) -> str:
    parts = ["\n## Goals\n\n" + report.goals(results)]
    for harshness in harsh:
        title = f"## All policies, world {harshness:g} x, seed {seeds[0]}"
        parts.append(f"{title}\n\n" + report.policies(results[harshness, seeds[0]]))
    parts.append("## RingTrue in every world\n\n" + report.worlds(results))
    parts += _matrices(results, harsh[0])
    return "\n\n".join(parts)


def _matrices(results: report.Results, harshness: float) -> list[str]:
    """The confusion matrices of one world, all seeds together."""
    ours = [world["ringtrue"] for key, world in results.items() if key[0] == harshness]
    said, stood, statuses = (
        np.sum([getattr(one, name) for one in ours], axis=0) for name in ("said", "lines", "statuses")
    )
    return [
        f"## The line fact, world {harshness:g} x, all seeds\n\n"
        + report.lines(said, "When the word changed", standing=False),
        report.lines(stood, "As it stood, every two months", standing=True),
        f"## The eight statuses, world {harshness:g} x, all seeds\n\n" + report.statuses(statuses),
    ]


def _usual_world(results: report.Results, harshness: float) -> str:
    """Goals and matrices of one world, for the overview of all benchmarks."""
    of_world = {key: world for key, world in results.items() if key[0] == harshness}
    return "\n\n".join(["## Goals\n\n" + report.goals(of_world), *_matrices(results, harshness)])


def _curve(base: Settings, harshness: float, seed: int, tactics: Tactics, arguments: argparse.Namespace) -> str:
    settings = replace(base, harshness=harshness, seed=seed, numbers=min(base.numbers, _CURVE_NUMBERS))
    world = simulated(settings, (*RIVALS, "eager", "calls"), tactics, arguments.keep)
    points = [world["calls"]]
    points += [
        simulated(settings, ("ringtrue",), replace(tactics, budget=budget), arguments.keep)["ringtrue"]
        for budget in BUDGETS
    ]
    title = f"{settings.numbers:,} numbers, {settings.months} months, world {harshness:g} x, seed {seed}"
    report.curve(world, points, arguments.image, title)
    unit = world["monthly"].money
    rows = [
        (
            f"{one.money / unit:.1%}",
            f"{1 - one.dead_dials / world['never'].dead_dials:.1%}",
            f"{report.avoided({**world, 'x': one}, 'x') / report.avoided(world, 'monthly'):.1%}",
            f"{one.wrongly_retired} of {one.live_observed:,}",
        )
        for one in sorted(points, key=lambda one: one.money)
    ]
    head = ("of (a)'s money", "dials to dead avoided", "of what (a) avoids", "live wrongly retired")
    return f"\n\n## Spend and dials avoided ({title})\n\n![curve](images/truth.png)\n\n" + report.table(head, rows)


if __name__ == "__main__":
    main()
