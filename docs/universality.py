"""Writes docs/universality.md and its plots: what the post's claims come to over 32 seeds of its recipe.

    python docs/universality.py FOLDER    trains and studies the seeds on Ray, or goes on with that, and keeps what is needed of
                                          it in docs/universality/
    python docs/universality.py           writes page and plots from what is kept there

tests/python/test_universality.py holds page and plots against what is kept. FOLDER is one that all machines of the cluster share.
"""

import gzip
import json
import pathlib
import re
import sys

import algolens
import numpy as np

DOCS = pathlib.Path(__file__).parent
KEPT = DOCS / "universality"
PLAN = {"grid": {"seed": "0..32"}}
VERDICTS = {"holds": "holds", "holds_as_control": "as a control", "partly": "partly", "fails": "fails", "not_asked": "not asked"}


def keep(folder):
    """Trains, or goes on; keeps the rows, and by how much head 0.1 copies each value more than head 0.0."""
    swept = algolens.sweep(PLAN, folder, on="ray")
    KEPT.mkdir(exist_ok=True)
    rows = b"\n".join(algolens._store.Store(folder).read(f"rows/{row.run}.json") for row in swept.rows)
    (KEPT / "rows.jsonl.gz").write_bytes(gzip.compress(rows, mtime=0))
    copies = [copied(f"{folder}/{row.checkpoint}") for row in swept.rows]
    (KEPT / "copies.json").write_text("[\n" + ",\n".join(json.dumps(row) for row in copies) + "\n]\n")


def copied(path):
    """Of each value, the OV diagonal of head 0.1 less that of head 0.0, in logits without the norm's scale."""
    model = algolens.HookedTransformer.from_checkpoint(path)
    model.process_weights_()
    diagonal = np.diagonal(algolens.circuits(model).W_OV_full, axis1=1, axis2=2)[:, :51]
    return [float(f"{more:.4g}") for more in diagonal[1] - diagonal[0]]


def kept():
    rows = gzip.decompress((KEPT / "rows.jsonl.gz").read_bytes()).split(b"\n")
    return rows, json.loads((KEPT / "copies.json").read_text())


def plots(rows, copies):
    """The plots as SVG, by name."""
    vectors = json.loads(rows[0])["provenance"]["vectors"]
    plan = json.loads(algolens._algolens.Sweep(json.dumps(PLAN)).plan)
    # This machine need not have the vector instructions with which the rows were made.
    sweep = algolens._algolens.Sweep(json.dumps({**plan, "vectors": vectors}), checked=True)
    figures = {name: svg for name, svg, _ in sweep.figures(rows)}
    heads = algolens.imshow(
        np.array(copies),
        y=[f"seed {seed}" for seed in range(len(copies))],
        x=list(range(51)),
        labels={"x": "value", "y": "", "color": "0.1 less 0.0"},
        title="OV diagonal of head 0.1 less that of 0.0, by value",
    )
    return {"claims": figures["claims"], "loss": figures["runs"], "heads": heads.svg}


def page(rows, copies):
    rows = [json.loads(row) for row in rows]
    parts = [introduction(rows), claims(rows), division(rows, copies), varies(rows)]
    return "\n".join(parts)


def introduction(rows):
    accuracy = [row["evaluation"]["token_accuracy"] for row in rows]
    loss = [row["evaluation"]["loss"] for row in rows]
    vectors = sorted({row["provenance"]["vectors"] for row in rows})
    return f"""# Does it hold in every seed?

The post takes one model apart. This page asks of its claims what one model cannot say: in how many of {len(rows)} models, trained by
the same recipe from seeds 0 to {len(rows) - 1}, does each hold? [claims.md](claims.md) has the claims, their measures, thresholds and
controls. Every model is judged by itself, against its own controls.

`python docs/universality.py FOLDER` trains and studies the models on a [cluster](cluster.md) and writes this page (algolens
{rows[0]["provenance"]["algolens"]}, {", ".join(vectors)}); what it is written from is in `docs/universality/`.

All {len(rows)} learn the task: {min(accuracy):.2%} to {max(accuracy):.2%} of the tokens of 500 random lists are right, at a loss of
{min(loss):.3f} to {max(loss):.3f} nats. What they have learnt is not the same.

![The number of each claim in every seed](universality/claims.svg)
"""


def claims(rows):
    post = json.loads((DOCS.parent / "models" / "post_claims.json").read_text())
    lines = [
        "## The claims",
        "",
        "In how many seeds each claim has which verdict (*as a control*: it holds, but no further than in a control; *not asked*: there",
        "is nothing to measure); its numbers in the units of [claims.md](claims.md), where shares and points run to 1; and the post's own",
        "weights. Of `head_order`, say, the number is the lesser head's part of the greater one's Shapley value: low is one head alone.",
        "",
        f"| claim | {' | '.join(VERDICTS.values())} | least | median | most | the post |",
        f"|---|{'---:|' * (len(VERDICTS) + 3)}---|",
    ]
    for at, claim in enumerate(rows[0]["claims"]):
        found = [row["claims"][at] for row in rows]
        counts = [sum(one["verdict"] == verdict for one in found) for verdict in VERDICTS]
        numbers = sorted(one["value"] for one in found if one["value"] is not None)
        middle = [numbers[0], float(np.median(numbers)), numbers[-1]] if numbers else []
        of_post = post[claim["id"]]
        value = "–" if of_post["value"] is None else f"{of_post['value']:.3g}: {of_post['verdict'].replace('_', ' ')}"
        cells = [f"`{claim['id']}`", *map(str, counts), *([f"{number:.3g}" for number in middle] or ["–"] * 3), value]
        lines.append(f"| {' | '.join(cells)} |")
    always = [claim["id"] for at, claim in enumerate(rows[0]["claims"]) if all(r["claims"][at]["verdict"] == "holds" for r in rows)]
    never = [
        claim["id"]
        for at, claim in enumerate(rows[0]["claims"])
        if not any(r["claims"][at]["verdict"] == "holds" for r in rows)
    ]
    lines += ["", f"In every seed hold {named(always)}. In none hold {named(never)}.", ""]
    return "\n".join(lines)


def named(ids):
    return ", ".join(f"`{one}`" for one in ids) or "no claims"


def division(rows, copies):
    costs = [row["ablation"]["mean"] for row in rows]
    main = [max(cost, key=cost.get) for cost in costs]
    ratio = [max(cost.values()) / min(cost.values()) for cost in costs]
    ranges = [1 + sum((a > 0) != (b > 0) for a, b in zip(row, row[1:])) for row in copies]
    shares = [sum(more > 0 for more in row) / len(row) for row in copies]
    first = [row[0] > 0 for row in copies]
    middle = sum(0.3 <= share <= 0.7 for share in shares)
    return f"""## The division of labour between heads

In the post head 0.1 copies most values, head 0.0 those from 28 to 37. Here each value is served by the head whose OV diagonal is
larger there.

- **Which head matters more.** Mean ablation of head 0.1 costs more in {main.count("0.1")} seeds, of head 0.0 in
  {main.count("0.0")}: the division flips with the seed. The dearer head costs {min(ratio):.2f} to {max(ratio):.2f} times the other
  (median {np.median(ratio):.2f}).
- **How values are shared out.** Head 0.1 serves {min(shares):.0%} to {max(shares):.0%} of the values; in {middle} of {len(rows)} seeds
  each head serves 30 % to 70 %. The smallest value is head 0.1's in {sum(first)} seeds.
- **In how many ranges.** There are {min(ranges)} to {max(ranges)} ranges of neighbouring values with the same head (median
  {np.median(ranges):.0f}; the post's model has 3).

![Which head copies which value](universality/heads.svg)
"""


def varies(rows):
    spread = []
    for at, claim in enumerate(rows[0]["claims"]):
        verdicts = [row["claims"][at]["verdict"] for row in rows]
        usual = max(verdicts.count(verdict) for verdict in VERDICTS)
        spread.append((len(rows) - usual, claim["id"], claim["claim"]))
    spread.sort(key=lambda one: (-one[0], one[1]))
    lines = ["## What varies", "", "The claims on which seeds agree least: how many have another verdict than most.", ""]
    lines += [f"- `{name}` ({other} of {len(rows)}): {re.sub(r'[.]$', '', words)}." for other, name, words in spread[:8]]
    lines += ["", "![Loss by seed](universality/loss.svg)", ""]
    return "\n".join(lines)


def write(rows, copies):
    (DOCS / "universality.md").write_text(page(rows, copies))
    for name, svg in plots(rows, copies).items():
        (KEPT / f"{name}.svg").write_text(svg)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        keep(sys.argv[1])
    write(*kept())
