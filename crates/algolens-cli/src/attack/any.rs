//! Attacks on any model of any task.

use super::args::Args;
use crate::{load::Opened, output, terminal::Terminal};
use algolens::{
    Result,
    interpret::{
        Answer, Subject,
        attack::{Attack, Attacker, Found, MemberAttack, Near, Progress, attack_members},
    },
    observer::Observer,
    task::{Task, labels_of},
};
use std::ops::ControlFlow;

/// Inputs that are run, where nobody says how many.
const WORK: u64 = 500_000;
/// Random inputs of each member of a family.
const SAMPLED: usize = 1000;
/// The most changes of an input that are tried.
const MOST_CHANGES: usize = 2;

/// Searches for the worst inputs, or for the nearest one or in every family, and shows them.
pub fn run<'a>(
    args: &Args,
    opened: &Opened,
    task: &dyn Task,
    attacker: impl FnOnce() -> Result<Attacker<'a>>,
    terminal: &Terminal,
) -> Result<String> {
    let (work, seed) = (args.work.unwrap_or(WORK), args.seed);
    if args.families {
        let engine = args.backend.engine(opened.model.config())?;
        let subject = Subject { model: &opened.model, engine: &*engine };
        let members = watched(terminal, |watch| attack_members(subject, task, SAMPLED, work, seed, watch))?;
        return if args.json { output::json_of(opened, &members) } else { Ok(families(task, &members)) };
    }
    let attacker = attacker()?;
    if let Some(input) = &args.near {
        let input = task.parse_input(input)?;
        let near = attacker.fewest_changes(&input, MOST_CHANGES, work)?;
        return if args.json { output::json_of(opened, &near) } else { Ok(nearest(task, &near)) };
    }
    let attack = watched(terminal, |watch| attacker.attack(work, args.count, seed.into(), watch))?;
    if args.json { output::json_of(opened, &attack) } else { Ok(found(task, &attack)) }
}

fn watched<R>(terminal: &Terminal, work: impl FnOnce(&mut dyn Observer<Progress>) -> Result<R>) -> Result<R> {
    let bar = terminal.spinner();
    let result = work(&mut |Progress { tried, of, wrong, least }: Progress| {
        bar.set_message(format!("least margin {least:.4} · {wrong} wrong · {tried} of {of} inputs"));
        bar.tick();
        if terminal.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    bar.finish_and_clear();
    result
}

/// What an attack found, and among how many inputs.
pub fn found(task: &dyn Task, attack: &Attack) -> String {
    let Attack { found, wrong_kinds, tried, wrong, all } = attack;
    let mut text: String = found.iter().map(|found| one(task, found)).collect();
    text += &match (all, wrong) {
        (true, 0) => format!("nothing wrong: all inputs were run, {tried} that are looked at\n"),
        (true, _) => {
            format!("all inputs were run: of {tried} that are looked at {wrong} are wrong, of {wrong_kinds} kinds\n")
        }
        (false, 0) => format!("nothing wrong among {tried} inputs that were run; there may be wrong ones\n"),
        (false, _) => format!("wrong inputs of {wrong_kinds} kinds, among {tried} that were run\n"),
    };
    text
}

/// An input and its answer.
fn one(task: &dyn Task, found: &Found) -> String {
    let Found { input, position, predicted, expected, margin, families } = found;
    let verdict = if found.is_wrong() { "wrong" } else { "right" };
    let [predicted, expected] = [predicted, expected].map(|answer| said(task, answer));
    let of: Vec<String> = families.iter().map(|of| format!("{}={}", of.family, of.member)).collect();
    let of = if of.is_empty() { String::new() } else { format!("  {}\n", of.join(" ")) };
    format!(
        "{}\n  position {position} is {verdict}: {predicted} (expected {expected}, margin {margin:.4})\n{of}",
        labels_of(&task.token_labels(), input).join(" ")
    )
}

/// The classes of an answer by their labels.
fn said(task: &dyn Task, answer: &Answer) -> String {
    labels_of(&task.output_labels(), answer.classes()).join("|")
}

fn nearest(task: &dyn Task, near: &Near) -> String {
    let Near { found, changes, tried } = near;
    let count = |changes: usize| format!("{changes} {}", if changes == 1 { "change" } else { "changes" });
    match found {
        Some(found) => {
            format!("{} make it wrong, and no fewer; the worst so near:\n{}", count(*changes), one(task, found))
        }
        None => format!("no input within {} is wrong: all {tried} were run\n", count(changes - 1)),
    }
}

fn families(task: &dyn Task, members: &[MemberAttack]) -> String {
    let rows = members.iter().map(|MemberAttack { family, sampled, attack }| {
        let found = attack.as_ref().and_then(|attack| attack.found.first());
        let worst = found.map_or([String::new(), String::new()], |found| {
            [format!("{:.3}", found.margin), labels_of(&task.token_labels(), &found.input).join(" ")]
        });
        let [low, high] = sampled.interval.map(|share| format!("{:.3}", 1.0 - share));
        let head = [
            format!("{family}={}", sampled.name),
            sampled.size.to_string(),
            format!("{:.3}", sampled.wrong_share()),
            format!("{high} to {low}"),
        ];
        head.into_iter().chain(worst).collect()
    });
    output::table(&["family", "sampled", "wrong", "99.9 % interval", "least found", "worst input"], rows)
}
