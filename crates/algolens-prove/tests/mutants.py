#!/usr/bin/env python3
"""Plants bugs in `prove/`, one after another, and sees whether its tests notice: about half an hour on two cores.

    python3 crates/algolens-prove/tests/mutants.py [NUMBER...]

Works on a copy of the last commit in a temporary folder. A line a mutant: `killed` (with the tests that failed), or
`SURVIVED`. Exits with 1 if one survived, or if the text that it changes is no longer there.
"""

import os
import subprocess
import sys
import tempfile
import time

# What is wrong, where (in crates/algolens-prove/src/), the text, and what it becomes.
MUTANTS = [
    ("ranks are one too high", "oracle/kernels.rs",
     "let by_count: [i32; MOST_VALUES + 1] = std::array::from_fn(rank);",
     "let by_count: [i32; MOST_VALUES + 1] = std::array::from_fn(|at| rank((at + 1).min(12)));"),
    ("no token may be left out, forward", "oracle/kernels.rs",
     "let mut least = if token.optional { load(simd, before, start) } else",
     "let mut least = if false { load(simd, before, start) } else"),
    ("leaving a token out costs the rest twice", "oracle/kernels.rs",
     "absent = absent.min(load(simd, before, start) + after);",
     "absent = absent.min(load(simd, before, start) + after + after);"),
    ("the way back forgets ranks", "oracle/kernels.rs",
     "rest = (rest + load(simd, &ranks[block.count_ones() as usize], 0)).min(big);",
     "rest = rest.min(big);"),
    ("sums forget ranks", "oracle/kernels.rs",
     "(load_sums(simd, old, start) * factors).store_slice",
     "(load_sums(simd, old, start)).store_slice"),
    ("what SEP costs is forgotten", "oracle/subsets.rs",
     "let constant = round_down(costs[rows.rows.len() - 1], scale);",
     "let constant = 0;"),
    ("costs are rounded up", "oracle/subsets.rs",
     "(cost * scale - 0.5 + MAGIC)",
     "(cost * scale + 40.5 + MAGIC)"),
    ("one candidate too few", "oracle/subsets.rs",
     "self.cheapest.iter().take(needed)",
     "self.cheapest.iter().take(needed - 1)"),
    ("d may have any rank", "oracle/subsets.rs",
     'let there = rank < position && (rank + 1 == position) == last;\n                    if there { round',
     'let there = rank < position;\n                    if there { round'),
    ("minima a little below zero count as positive", "oracle/interface.rs",
     "self.units >= MARGIN",
     "self.units >= -(1 << 20)"),
    ("tokens that must follow may be passed over", "oracle/transitions.rs",
     ".skip(must_follow.unwrap_or(0))",
     ".skip(0)"),
    ("any value may be the first", "oracle/transitions.rs",
     "let is_first = must_follow.is_none() && allowed",
     "let is_first = allowed"),
    ("every step is allowed", "oracle/transitions.rs",
     "if !sums.is_empty() && allowed(rank, Some(rows.tokens[last]), rows.tokens[token])",
     "if !sums.is_empty()"),
    ("floors hold unproved", "dominance.rs",
     'if minimum.is_positive() {\n                self.floors[head]',
     'if true {\n                self.floors[head]'),
    ("half of the box is forgotten", "dominance.rs",
     "let room = self.difference.threshold() - all;",
     "let room = 0.5 * (self.difference.threshold() - all);"),
    ("options close to failing are removed", "dominance.rs",
     "if units < MARGIN {",
     "if units < MARGIN - (1 << 22) {"),
    ("the other heads give more than they do", "dominance.rs",
     "b.push(self.difference.threshold() - cell.low.iter().sum::<f64>());",
     "b.push(self.difference.threshold() - cell.high.iter().sum::<f64>());"),
    ("a cell is not looked at", "dominance.rs",
     "return self.divide_cell(upper, depth - 1);",
     "let _ = upper; return Some(());"),
    ("floors decide below the threshold", "dominance.rs",
     ">= self.difference.threshold() + AHEAD * self.minimizer.floor_unit",
     ">= self.difference.threshold() - 0.5"),
    ("the slack has the wrong sign", "logit_difference.rs",
     "tables.beta[winner] - tables.beta[loser] - slack",
     "tables.beta[winner] - tables.beta[loser] + slack"),
    ("b_U is forgotten", "logit_difference.rs",
     "tables.beta[winner] - tables.beta[loser] - slack",
     "-slack"),
    ("sigma's bounds are exchanged", "logit_difference.rs",
     "if constant >= 0.0 { &rows",
     "if constant < 0.0 { &rows"),
    ("the direct path is forgotten", "logit_difference.rs",
     "tables.B[[rows.destination, winner]] - tables.B[[rows.destination, loser]] + constant",
     "constant"),
    ("the threshold is lower by a half", "logit_difference.rs",
     "-self.base",
     "-self.base - 0.5"),
    ("rivals remove options for each other", "node.rs",
     "*kept |= more",
     "*kept &= more"),
    ("a rival is dominated where half of the options are removed", "node.rs",
     "                Outcome::Dominates => moves.extend(written),",
     "                Outcome::Dominates | Outcome::Narrowed\n"
     "                    if 2 * proof.kept.iter().map(|kept| kept.count_ones()).sum::<u32>()\n"
     "                        < all.iter().map(|all| all.count_ones()).sum::<u32>() =>\n"
     "                    moves.extend(written),\n"
     "                Outcome::Dominates => moves.extend(written),"),
    ("a single list is right below the slack", "node.rs",
     "let correct = margin > effort.slack;",
     "let correct = margin > effort.slack - 0.5;"),
    ("a single list is wrong above the slack", "node.rs",
     "if !correct && margin < -effort.slack {",
     "if margin < effort.slack + 0.5 {"),
    ("lists are wrong by less than the slack", "node.rs",
     "let difference = LogitDifference::new(rows, rival.answer.into(), rows.class.target as usize, effort.slack);",
     "let difference = LogitDifference::new(rows, rival.answer.into(), rows.class.target as usize, effort.slack - 1.0);"),
    ("both parts of a split are the left one", "oracle/region.rs",
     "parts[1].0[*token] &= !options;",
     "parts[1].0[*token] &= options;"),
    ("all lists are wrong where some are", "node.rs",
     "Refuted { wrong: before - self.count,",
     "Refuted { wrong: before,"),
    ("weights fall with the score", "class_rows.rs",
     "libm::exp(*score - largest)",
     "libm::exp(largest - *score)"),
    ("the destination is a place too late", "class_rows.rs",
     "space.answer_row(class.position - 1, d)",
     "space.answer_row(class.position, d)"),
    ("y stands behind what is above it", "class_rows.rs",
     "(0..low).chain(y..values)",
     "(0..low).chain(y + 1..values + 1).map(|t| if t == values { y } else { t })"),
    ("the width of the norm is off by one", "class_rows.rs",
     'let width = ((own.len() - 1) as f64).sqrt();\n        let low',
     'let width = (own.len() as f64 - 2.0).sqrt();\n        let low'),
    ("sigma's lower bound is too high", "class_rows.rs",
     "Averages { base: unit.dot(&own) / width,",
     "Averages { base: 1.3 * unit.dot(&own) / width,"),
    ("one value too many above y", "class.rs",
     "let above = values - 1 - class.target as usize;",
     "let above = values - class.target as usize;"),
    ("one value too many below d", "class.rs",
     "choose(token as usize, class.position - 1) *",
     "choose(token as usize + 1, class.position - 1) *"),
    ("what is not known counts as right", "accuracy.rs",
     "not_right[class.position] += share * (1.0 - decided.right);",
     "not_right[class.position] += share * decided.wrong;"),
    ("the union is a maximum", "accuracy.rs",
     "let by_union = 1.0 - sum(&not_right);",
     "let by_union = 1.0 - not_right.iter().copied().fold(0.0, f64::max);"),
    ("wrong shares of positions are added", "accuracy.rs",
     "wrong.iter().copied().fold(first_wrong, f64::max)",
     "wrong.iter().sum::<f64>()"),
    ("lists come from nowhere", "accuracy.rs",
     "ways.get(&(class.position, class.token))",
     "ways.get(&(class.position, class.token)).or(Some(&1))"),
    ("scores are scaled twice", "tables.rs",
     "* config.attn_scale(0)",
     "* config.attn_scale(0) * config.attn_scale(0)"),
    ("the last norm's bias is forgotten", "tables.rs",
     "beta = beta + model.params.get_or_zeros(ln_final.b, [config.d_model]).dot(&W_U);",
     ""),
    ("b_O is forgotten", "tables.rs",
     "center(&(residual + model.params.get_or_zeros(block.b_O, [config.d_model])))",
     "center(&residual)"),
    ("every attack is a proof", "attack.rs",
     "unclosed.is_empty().then_some(run.least - FINEST)",
     "Some(run.least - FINEST)"),
    ("ordered lists may exchange tokens", "oracle/subsets.rs",
     "if candidates && self.order == Order::Any && optional",
     "if candidates && optional"),
    ("ordered lists forget ranks", "oracle/ordered.rs",
     "(at(position) + rank.as_ref().map_or(0, |rank| rank(placed))).min(BIG)",
     "at(position).min(BIG)"),
    ("ordered lists are counted the wrong way round", "oracle/ordered.rs",
     "for rank in (0..MOST_VALUES).rev()",
     "for rank in 0..MOST_VALUES"),
    ("descending lists ascend", "order.rs",
     "Self::Descending => list_len - 1 - rank",
     "Self::Descending => rank"),
    ("the largest gap is not allowed", "restrictions.rs",
     "gap <= most)",
     "gap < most)"),
    ("values that are not allowed are used", "restrictions.rs",
     "*options &= 1 << ABSENT;",
     "let _ = options;"),
    ("floors outlive the bound that they were of", "search.rs",
     "part.forget_floors();",
     ""),
    ("worst lists of a split are forgotten", "search.rs",
     "let worst = if has_worst { None } else { WorstCase::among_points(&minimizer) };",
     "let worst: Option<WorstCase> = None; let _ = has_worst;"),
    ("once a list is wrong, worse ones are forgotten", "search.rs",
     "let has_worst = self.objective == Objective::Shares && self.state.trees[tree].is_refuted();",
     "let has_worst = self.state.trees[tree].is_refuted();"),
    ("an attack takes what is wrong for what is bad enough", "search.rs",
     "(self.objective == Objective::Shares).then_some(&self.certified)",
     "Some(&self.certified)"),
    ("an attack is over with parts left", "tree.rs",
     "!self.nodes.iter().any(|branch| matches!(branch.end, End::Open(_)))",
     "true"),
    ("half of what is undecided is forgotten", "tree.rs",
     "let undecided: f64 = self.nodes.iter().map(|branch| branch.end.undecided()).sum();",
     "let undecided: f64 = self.nodes.iter().map(|branch| branch.end.undecided()).sum::<f64>() * 0.5;"),
    ("single lists are always decided", "tree.rs",
     "End::Single(!correct && examined.wrong == 0.0)",
     "End::Single(false)"),
    ("the largest value need not be there", "oracle/product.rs",
     "units: self.constant + self.sum() + penalty",
     "units: self.constant + self.sum()"),
    ("the largest value stands at the wrong place", "oracle/product.rs",
     "there.map(|(position, penalty)| (*penalty, position)).min()?",
     "there.map(|(position, penalty)| (*penalty, position)).max()?"),
    ("a marginal forgets that the largest value is elsewhere", "oracle/product.rs",
     "let penalty = if token == largest { 0 } else { elsewhere[position] };",
     "let penalty = 0;"),
    ("a marginal counts the least of its position as well", "oracle/product.rs",
     "*cost = sum - self.least[position].0 + *cost + penalty;",
     "*cost = sum + *cost + penalty;"),
    ("lists without the largest value are counted", "oracle/product.rs",
     "all - without",
     "all"),
    ("what every list attends to is forgotten", "oracle/product.rs",
     "self.constant = fixed.iter().map(|cost| units(*cost)).sum();",
     "self.constant = 0;"),
    ("a list counts as first wrong whatever was before", "oracle/product.rs",
     "if is_first || allowed(0, None, largest)",
     "if is_first || !allowed(0, None, largest)"),
    ("both parts of a split on a position have the same tokens", "oracle/region.rs",
     "parts[usize::from(first)].0[token] &= !(1 << position);",
     "parts[1].0[token] &= if first { !(1 << position) } else { u16::MAX };"),
    ("the last value that predicts may be any", "oracle/region.rs",
     "Some(predicts) if predicts != u32::from(*token) => positions & !last,",
     "Some(predicts) if predicts != u32::from(*token) => positions,"),
    ("a list has no region", "oracle/region.rs",
     "self.0.get(usize::from(*token)).is_some_and(|o| o >> at & 1 == 1)",
     "self.0.get(usize::from(*token)).is_some_and(|o| o >> at & 1 == 0)"),
    ("numbers stand where separators do", "space.rs",
     "return (if separated { 1 + 2 * position } else { position }, row % values);",
     "return (if separated { 2 * position } else { position }, row % values);"),
    ("ANS is a separator", "space.rs",
     "_ if at == list_len => (2 * at, ans),",
     "_ if at == list_len => (2 * at, sep),"),
    ("the largest value predicts from ANS", "space.rs",
     "(if separated { 2 * list_len + 1 } else { list_len + 1 + prediction }, value)",
     "(if separated { 2 * list_len } else { list_len + 1 + prediction }, value)"),
    ("what follows the largest value is another token", "space.rs",
     "self.values as Token + 3",
     "self.values as Token + 2"),
    ("the largest value that predicts is not attended to", "class_rows.rs",
     "            rows.push(destination);\n",
     ""),
    ("a last value that is the largest is counted as another", "class.rs",
     "(Asks::Largest { separators: false }, Some(last)) if last == class.target =>",
     "(Asks::Largest { separators: false }, Some(last)) if last > class.target =>"),
    ("lists below the largest value are not taken away", "class.rs",
     "            all - without\n",
     "            all\n"),
    ("every list of a first class is one", "class.rs",
     "if self.space.asks == Asks::Sorted { 1 } else { self.sets(class) }",
     "1"),
    ("nothing is spared for rounding", "logit_difference.rs",
     "let spare = self.spare * (a.abs()",
     "let spare = -1e9 * self.spare * (a.abs()"),
]

TESTS = ["--lib", "--test it -- --skip ten_million"]
LONGEST_SECONDS = 600


def run(command, tree, env):
    """Exit status (None if it took too long) and what was printed."""
    try:
        done = subprocess.run(command, shell=True, cwd=tree, env=env, capture_output=True, text=True,
                              timeout=LONGEST_SECONDS)
        return done.returncode, done.stdout + done.stderr
    except subprocess.TimeoutExpired:
        return None, ""


def test(tree, env):
    """How the tests came out: in words, and whether they noticed anything."""
    status, printed = run("cargo test --release -p algolens-prove --lib --test it --no-run", tree, env)
    if status != 0:
        return "does not build\n" + printed, False
    for tests in TESTS:
        status, printed = run(f"cargo test --release -p algolens-prove {tests}", tree, env)
        if status is None:
            return "killed: the tests do not end", True
        if status != 0:
            failed = [line.split()[1] for line in printed.splitlines() if line.startswith("test ") and line.endswith("... FAILED")]
            return "killed by " + ", ".join(failed), True
    return "SURVIVED", False


def main():
    chosen = [int(number) for number in sys.argv[1:]] or range(len(MUTANTS))
    root = subprocess.run("git rev-parse --show-toplevel", shell=True, check=True, capture_output=True, text=True)
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        tree = os.path.join(folder, "tree")
        subprocess.run(["git", "clone", "--quiet", root.stdout.strip(), tree], check=True)
        env = dict(os.environ, CARGO_TARGET_DIR=os.path.join(folder, "target"), CARGO_PROFILE_RELEASE_LTO="off",
                   CARGO_PROFILE_RELEASE_INCREMENTAL="true", CARGO_PROFILE_RELEASE_CODEGEN_UNITS="64")
        words, noticed = test(tree, env)
        if noticed or words != "SURVIVED":
            sys.exit(f"the tests fail without any mutant: {words}")
        for number in chosen:
            what, file, old, new = MUTANTS[number]
            path = os.path.join(tree, "crates/algolens-prove/src", file)
            with open(path) as source:
                text = source.read()
            began = time.time()
            if old in text:
                with open(path, "w") as source:
                    source.write(text.replace(old, new))
                words, noticed = test(tree, env)
                with open(path, "w") as source:
                    source.write(text)
            else:
                words, noticed = f"{file} has no such text", False
            failures += not noticed
            print(f"{number:2} {what}: {words} ({time.time() - began:.0f} s)", flush=True)
    sys.exit(1 if failures else 0)


main()
