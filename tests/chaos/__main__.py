"""python -m tests.chaos --faults 100 [--seed 0] [--only NAME]: harms whole studies and writes the table.

What is done is kept after every study: the same command again goes on, until there are as many faults as asked for.
"""

import argparse
import json
import shutil
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from tests.benchmarks import options
from tests.benchmarks.machine import describe_machine
from tests.chaos.faults import FAULTS, possible
from tests.chaos.surroundings import EVERYWHERE, Surroundings
from tests.chaos.table import FAULTS_FILE, write_page
from tests.chaos.unharmed import unharmed
from tests.chaos.victim import NUM_EVALUATIONS, finished_of, problems

PER_STUDY = 6
MOST_LAUNCHES = 20
LONGEST_S = 1500.0
_LOOK_S = 0.5


def main() -> None:
    """Harm studies until there were enough faults."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--faults", type=int, default=100)
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--only", choices=[place.name for place in EVERYWHERE], help="surroundings of this name")
    made.add_argument("--folder", type=Path, default=Path("runs/chaos"), help="where studies run; nodes must see it")
    arguments = made.parse_args()
    folder = arguments.folder.absolute()
    results = json.loads(FAULTS_FILE.read_text()) if FAULTS_FILE.exists() else {"studies": []}
    places = [place for place in EVERYWHERE if arguments.only in (None, place.name)]
    for place in places:
        if reason := place.missing():
            print(f"left out: {place.name} {reason}")
    places = [place for place in places if not place.missing()]
    if not places:
        raise SystemExit("there is nowhere to run studies")
    expected = unharmed(folder)
    while (done := sum(len(each["faults"]) for each in results["studies"])) < arguments.faults:
        number = len(results["studies"])
        random = Random(f"{arguments.seed}-{number}")
        told = Counter(fault["fault"] for each in results["studies"] for fault in each["faults"])
        print(f"study {number + 1}: {done} of {arguments.faults} faults so far", flush=True)
        with places[number % len(places)](_emptied(folder / f"study-{number}"), folder / "cache") as surroundings:
            results["studies"].append(_harmed(surroundings, random, told, expected))
        shutil.rmtree(folder / f"study-{number}", ignore_errors=True)
        results |= {
            "command": options.command("tests.chaos"),
            "machine": describe_machine(),
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
        }
        FAULTS_FILE.write_text(json.dumps(results, indent=1) + "\n")
    print(write_page())


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def _harmed(at: Surroundings, random: Random, told: Counter[str], expected: Path) -> dict[str, Any]:
    """One study from its first launch to its end, with faults at random moments."""
    begun_s = time.monotonic()
    # The rarest first, so that all kinds come about equally often.
    names = sorted(possible(at), key=lambda name: (told[name], random.random()))[:PER_STUDY]
    random.shuffle(names)
    moments = sorted(random.sample(range(1, NUM_EVALUATIONS - 12), len(names)))
    waiting = list(zip(moments, names, strict=True))
    happened: list[dict[str, Any]] = []
    ever_finished: dict[str, str] = {}
    at.victim.begin()
    while True:
        assert time.monotonic() - begun_s < LONGEST_S, "the study does not come to its end"
        ever_finished |= finished_of(at.victim.database)
        if at.victim.has_ended():
            if at.victim.codes[-1] == 0:
                break
            _understood(at)
            assert at.victim.launches < MOST_LAUNCHES, "launched again and again"
            at.victim.begin()
        reached = at.victim.num_evaluations()
        if waiting and reached >= waiting[0][0] and not at.victim.has_ended():
            did = FAULTS[waiting[0][1]](at, random)
            if did:
                happened.append({"fault": waiting.pop(0)[1], "after": reached, "did": did})
                print(f"  after {reached} evaluations: {happened[-1]['fault']}: {did}", flush=True)
        time.sleep(_LOOK_S)
    at.afterwards.close()
    at.restore()
    found = problems(at.victim, expected, ever_finished)
    found["undetected"] = len(at.damaged)
    took_s = round(time.monotonic() - begun_s)
    print(f"  ended after {at.victim.launches} launches and {took_s} s: {found}", flush=True)
    return {
        "surroundings": at.name,
        "faults": happened,
        "launches": at.victim.launches,
        "codes": at.victim.codes,
        "seconds": took_s,
        "problems": found,
    }


def _understood(at: Surroundings) -> None:
    """A launch that ended must have said why in words; what it says of a damaged checkpoint is done."""
    code, said = at.victim.codes[-1], at.victim.said[-1]
    if code != -9 and not at.cut_off:
        assert "Traceback" not in said, said[-3000:]
        assert code in (1, 2, 75, 137), f"code {code}: {said[-2000:]}"
    for file in [file for file in at.damaged if str(file) in said]:
        file.unlink()
        at.damaged.remove(file)


if __name__ == "__main__":
    main()
