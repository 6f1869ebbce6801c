//! What decides where there is no proof: all inputs, or an interval and an attack.

use crate::{load::Opened, output, terminal::Terminal};
use algolens::{
    Error, Result,
    engine::{Backend, Vectors},
    interpret::{
        Known, Material, Subject,
        attack::{Attacker, Progress, Restrictions},
        enumerate::{Enumeration, Walk, inputs_to_run},
        known,
    },
    model::Config,
    random,
    task::{Dataset, Task, labels_of},
};
use std::ops::ControlFlow;

/// The examples of a sample, and the inputs that an attack runs.
const SAMPLED: usize = 100_000;
const WORK: u64 = 200_000;
/// The most inputs that are all run.
const MOST_INPUTS: u128 = 1 << 28;

/// Why there is no proof, with what decides instead.
pub fn named(config: &Config, task: &dyn Task, why: Error) -> Error {
    let instead = match inputs_to_run(config, task) {
        Some(count) if count <= MOST_INPUTS => {
            format!("`algolens eval MODEL --all` decides all, by running {count} inputs")
        }
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
    if inputs_to_run(opened.model.config(), task).is_some_and(|inputs| inputs <= MOST_INPUTS) {
        return exact(subject, task, terminal);
    }
    let data = Dataset::generate(task, SAMPLED, &mut random::stream(0, "certify/instead"))?;
    let known = known(subject, Material::Task(task), &data, None)?;
    let text = format!("right on {}\n", known.headline());
    let attacker = Attacker::new(subject, task, &Restrictions::default())?;
    let attack = attacker.attack(WORK, 1, 0, &mut |_: Progress| {
        if terminal.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(text + &crate::attack::found(task, &attack))
}

/// Runs all inputs.
fn exact(subject: Subject, task: &dyn Task, terminal: &Terminal) -> Result<String> {
    /// Blocks between two looks at the terminal.
    const BLOCKS: u64 = 64;
    let walk = Walk::new(subject, task, Walk::SLACK, 0)?;
    let mut run = walk.begin(0);
    let bar = terminal.spinner();
    while run.to() < walk.count() {
        let to = run.to() + BLOCKS * Walk::BLOCK;
        walk.go_on(&mut run, to)?;
        bar.set_message(format!("{} of {} inputs", run.to(), walk.count()));
        bar.tick();
        if terminal.interrupted() {
            bar.finish_and_clear();
            return Err(Error::Cancelled);
        }
    }
    bar.finish_and_clear();
    let Enumeration { inputs, right, least_margin, .. } = run;
    let known = Known::Exact { inputs, right, least_margin };
    let text = format!("right on {}\n", known.headline());
    let Known::Exact { least_margin: Some(least), .. } = known else { return Ok(text) };
    let input = labels_of(&task.token_labels(), &least.input).join(" ");
    let rows = [vec![input, least.position.to_string(), format!("{:.4}", least.margin)]];
    Ok(text + &output::table(&["worst input", "position", "margin"], rows))
}
