//! What decides where there is no proof: all inputs, or an interval and an attack.

use crate::{load::Opened, output, terminal::Terminal};
use algolens::{
    Error, Result,
    engine::{Backend, Vectors},
    interpret::{
        Known, Material, Subject,
        attack::{Attacker, Progress, Restrictions},
        known,
    },
    random,
    task::{Dataset, Task, labels_of},
};
use std::ops::ControlFlow;

/// The examples of a sample, and the inputs that an attack runs.
const SAMPLED: usize = 100_000;
const WORK: u64 = 200_000;
/// The most inputs that are all run without a word about it.
const MOST_INPUTS: u128 = 1 << 36;

/// Why there is no proof, with what decides instead.
pub fn named(task: &dyn Task, why: Error) -> Error {
    let instead = match task.inputs().map(|inputs| inputs.count()) {
        Some(count) if count <= MOST_INPUTS => format!("`algolens eval MODEL --all` runs all {count} inputs"),
        _ => "`algolens attack MODEL` looks for wrong inputs, `algolens eval MODEL` gives the interval of a sample"
            .into(),
    };
    let Error::Invalid { what, expected, found } = why else { return why };
    Error::invalid(what, expected, format!("{found}; {instead}, and --instead does"))
}

/// Runs all inputs, or a sample and an attack.
pub fn run(opened: &Opened, task: &dyn Task, why: &Error, terminal: &Terminal) -> Result<String> {
    terminal.say(format_args!("no proof: {why}"));
    let engine = Backend::best(opened.model.config()).engine(Vectors::best());
    let subject = Subject { model: &opened.model, engine: &*engine };
    let data = Dataset::generate(task, SAMPLED, &mut random::stream(0, "certify/instead"))?;
    let known = known(subject, Material::Task(task), &data, None)?;
    let text = format!("right on {}\n", known.headline());
    if let Known::Exact { .. } = known {
        return Ok(text + &worst_of_all(task, &known));
    }
    let attacker = Attacker::new(subject, task, &Restrictions::default())?;
    let attack = attacker.attack(WORK, 1, 0, &mut |_: Progress| {
        if terminal.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(text + &crate::attack::found(task, &attack))
}

fn worst_of_all(task: &dyn Task, known: &Known) -> String {
    let Known::Exact { least_margin: Some(least), .. } = known else { return String::new() };
    let input = labels_of(&task.token_labels(), &least.input).join(" ");
    let rows = [vec![input, least.position.to_string(), format!("{:.4}", least.margin)]];
    output::table(&["worst input", "position", "margin"], rows)
}
