//! `algolens attack`: the inputs that a model answers worst.

mod any;
mod args;
mod sorted;

pub use any::found;
pub use args::Args;
pub use sorted::{worst_lists, worst_table};

use crate::terminal::Terminal;
use algolens::{
    Error, Result,
    interpret::{Subject, attack::Attacker},
    prove::{Classes, Tables},
    task::{Registry, SortedList, TaskKind},
};

/// Searches for the worst inputs, and shows them.
pub fn run(args: &Args, registry: &Registry, terminal: &Terminal) -> Result<String> {
    if args.count == 0 {
        return Err(Error::invalid("--count", "at least 1", 0));
    }
    let opened = args.model.processed(false, registry)?;
    let engine = args.backend.engine(opened.model.config())?;
    let task = opened.task()?;
    let subject = Subject { model: &opened.model, engine: &*engine };
    let Ok(sorting) = SortedList::of(&task.spec()) else {
        args.lists.refuse(&*task)?;
        let restrictions = args.restrictions(args.position);
        return any::run(args, &opened, &*task, || Attacker::new(subject, &*task, &restrictions), terminal);
    };
    let lists = sorted::restrictions(args, &sorting)?;
    if args.near.is_none() {
        match Tables::of(&opened.model, &sorting) {
            Ok(tables) if args.family.is_empty() => {
                return sorted::run(args, &opened, &sorting, &tables, &*engine, terminal);
            }
            Ok(_) => {}
            Err(why) => terminal.say(format_args!("searched without proof: {why}")),
        }
    }
    let restrictions = args.restrictions(None);
    let attacker = || {
        let attacker = Attacker::new(subject, &sorting, &restrictions)?.within(lists.lists(&sorting));
        let (lists, task) = (&lists, &sorting);
        Ok(attacker.only(move |example, prediction| lists.allow(&Classes::along(task.list(example))[prediction])))
    };
    any::run(args, &opened, &sorting, attacker, terminal)
}
