//! `algolens attack`: the lists that a model sorts worst.

use crate::{
    backend_flags::BackendFlags,
    lists,
    load::{ModelArgs, Opened},
    output,
    terminal::Terminal,
};
use algolens::{
    Error, Result,
    check::certificate::Counterexample,
    engine::Plain,
    interpret::{Subject, predict},
    observer::Observer,
    prove::{
        self, Attack, AttackProgress, Classes, Failures, Family, Order, Restrictions, Sorter, Tables,
        failures_by_family,
    },
    task::{Dataset, Registry, SortedList, Task, Token},
};
use std::ops::ControlFlow;

/// Find the lists that a model sorts worst
///
/// For one-layer attention-only models it proves that no list is worse, or by how little one might be. Other models are searched by
/// going from list to list. Every list found is run by the plain backend.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  algolens attack models/sorted_list.safetensors\n  \
                        algolens attack models/sorted_list.safetensors --position 3 --min-gap 12 --count 3\n  \
                        algolens attack models/sorted_list.safetensors --values 30..50\n  \
                        algolens attack models/sorted_list.safetensors --near 4,8,15,16,23,42,1,2,3,50\n  \
                        algolens attack models/sorted_list.safetensors --families")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Only this prediction (0 is the one at SEP)
    #[arg(long, value_name = "I")]
    position: Option<usize>,
    /// Only predictions made at this value
    #[arg(long, value_name = "D")]
    token: Option<Token>,
    /// Only predictions whose right answer is this
    #[arg(long, value_name = "Y")]
    target: Option<Token>,
    /// Only predictions with at least this step from the value that predicts to the right answer
    #[arg(long, value_name = "G")]
    min_gap: Option<Token>,
    /// Only predictions with at most this step
    #[arg(long, value_name = "G")]
    max_gap: Option<Token>,
    /// Only lists of these values, such as 30..50 or 1,3,10..20
    #[arg(long, value_name = "VALUES")]
    values: Option<String>,
    /// Only unsorted lists that stand in this order
    #[arg(long, value_name = "ORDER", value_parser = ["ascending", "descending"])]
    order: Option<String>,
    /// How many lists to show, each of another class of predictions
    #[arg(long, value_name = "N", default_value_t = 5)]
    count: usize,
    /// How much to search, in passes of the oracle
    #[arg(long, value_name = "N", default_value_t = 20_000_000)]
    work: u64,
    /// Instead: the fewest swaps and replacements (at most 2) that turn this list into one that is sorted wrong
    #[arg(long, value_name = "LIST", conflicts_with_all = ["families", "values", "order", "position", "token", "target", "min_gap", "max_gap"])]
    near: Option<String>,
    /// Instead: worst case and failure rate by gap, by position and by the order of the unsorted list
    #[arg(long, conflicts_with_all = ["values", "order", "position", "token", "target", "min_gap", "max_gap"])]
    families: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    backend: BackendFlags,
}

/// The number of lists drawn for the rates of families.
const SAMPLED: usize = 20_000;
/// The number of starts of the search from list to list.
const STARTS: usize = 40;
/// The most changes of a list that are tried.
const MOST_CHANGES: usize = 2;

/// Searches for the worst lists, and shows them.
pub fn run(args: &Args, registry: &Registry, terminal: &Terminal) -> Result<String> {
    let opened = args.model.processed(false, registry)?;
    let engine = args.backend.engine(opened.model.config())?;
    let task = opened.sorted_list()?;
    let sorter = Sorter { model: &opened.model, task: &task, engine: &*engine };
    if let Some(list) = &args.near {
        return near(args, sorter, list);
    }
    if args.families {
        let tables = Tables::of(&opened.model, &task)?;
        let failures = watched(terminal, |watch| failures_by_family(sorter, &tables, SAMPLED, args.work, watch))?;
        return if args.json { output::json(&failures) } else { Ok(families(&failures)) };
    }
    let restrictions = args.restrictions(&task)?;
    let attack = match Tables::of(&opened.model, &task) {
        Ok(tables) => {
            let classes = Classes::of(&task)?;
            watched(terminal, |watch| prove::attack(&tables, &classes, &restrictions, args.work, watch))?
        }
        Err(why) => {
            terminal.say(format_args!("searched without proof: {why}"));
            Attack { found: sorter.descend(&restrictions, STARTS, 0)?, proved: None, work: 0 }
        }
    };
    let shown = confirmed(&opened, &task, attack, args.count)?;
    if args.json { output::json_of(&opened, &shown) } else { text(&opened, &task, &shown) }
}

/// The worst lists that a search without proof finds, each of another class of predictions; none for models whose class
/// is out of reach of proofs.
pub fn worst_lists(
    opened: &Opened,
    task: &SortedList,
    count: usize,
    terminal: &Terminal,
) -> Result<Vec<Counterexample>> {
    let Ok(tables) = Tables::of(&opened.model, task) else { return Ok(Vec::new()) };
    if count == 0 {
        return Ok(Vec::new());
    }
    let classes = Classes::of(task)?;
    let attack = watched(terminal, |watch| prove::attack(&tables, &classes, &Restrictions::default(), 0, watch))?;
    Ok(confirmed(opened, task, attack, count)?.found)
}

impl Args {
    fn restrictions(&self, task: &SortedList) -> Result<Restrictions> {
        if let Some(position) = self.position.filter(|position| *position >= task.list_len()) {
            return Err(Error::invalid("--position", format!("below {}", task.list_len()), position));
        }
        for (flag, value) in [("--token", self.token), ("--target", self.target)] {
            if let Some(value) = value.filter(|value| *value > task.max_value()) {
                return Err(Error::invalid(flag, format!("at most {}", task.max_value()), value));
            }
        }
        if self.count == 0 {
            return Err(Error::invalid("--count", "at least 1", 0));
        }
        Ok(Restrictions {
            position: self.position,
            token: self.token,
            target: self.target,
            min_gap: self.min_gap,
            max_gap: self.max_gap,
            values: self.values.as_deref().map(|text| values(text, task)).transpose()?,
            order: match self.order.as_deref() {
                Some("ascending") => Order::Ascending,
                Some("descending") => Order::Descending,
                _ => Order::Any,
            },
        })
    }
}

/// The values of a text of values and ranges, parted by commas.
fn values(text: &str, task: &SortedList) -> Result<Vec<Token>> {
    let refused = |found: &str| {
        let expected = format!("values up to {} and ranges such as 30..50, parted by commas", task.max_value());
        Error::invalid("--values", expected, format!("{found:?}"))
    };
    let mut all = Vec::new();
    for part in text.split(',').map(str::trim) {
        let number = |text: &str| text.trim().parse().ok().filter(|value: &Token| *value <= task.max_value());
        let (from, to) = part.split_once("..").unwrap_or((part, part));
        let (Some(from), Some(to)) = (number(from), number(to)) else { return Err(refused(part)) };
        all.extend(from..=to);
    }
    all.sort_unstable();
    all.dedup();
    if all.len() < task.list_len() {
        return Err(Error::invalid("--values", format!("at least {} values", task.list_len()), all.len()));
    }
    Ok(all)
}

fn watched<R>(terminal: &Terminal, work: impl FnOnce(&mut dyn Observer<AttackProgress>) -> Result<R>) -> Result<R> {
    let bar = terminal.spinner();
    let result = work(&mut |progress: AttackProgress| {
        let AttackProgress { least, done, of } = progress;
        bar.set_message(format!("least margin {least:.4} · {done} of {of} classes"));
        bar.tick();
        if terminal.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    bar.finish_and_clear();
    result
}

/// The worst lists, with the plain backend's predictions.
fn confirmed(opened: &Opened, task: &SortedList, attack: Attack, count: usize) -> Result<Attack> {
    let found: Vec<Counterexample> = attack.found.into_iter().take(count).collect();
    let answers = prove::plain_answers(&opened.model, task, &found.iter().collect::<Vec<_>>())?;
    let found = found.into_iter().zip(answers).map(|(found, predicted)| Counterexample { predicted, ..found });
    Ok(Attack { found: found.collect(), ..attack })
}

fn text(opened: &Opened, task: &SortedList, attack: &Attack) -> Result<String> {
    let lists: Vec<&[Token]> = attack.found.iter().map(|found| found.list.as_slice()).collect();
    let data = Dataset::from_inputs(task, &lists)?;
    let predictions = predict(Subject { model: &opened.model, engine: &Plain::new() }, &data)?;
    let labels = task.token_labels();
    let mut text = String::new();
    for (found, prediction) in attack.found.iter().zip(&predictions) {
        let verdict = if found.predicted == found.expected { "right" } else { "wrong" };
        text += &format!(
            "{}\n  prediction {} is {verdict}: {} (expected {}, margin {:.4})\n",
            output::spaced(&found.list),
            found.position,
            found.predicted,
            found.expected,
            found.margin
        );
        text += &(output::prediction(prediction, &labels) + "\n");
    }
    text += &match attack.proved {
        Some(least) => format!("proved: no list that may be used has a margin below {least:.4}\n"),
        None => "not proved: there may be worse lists\n".to_owned(),
    };
    Ok(text)
}

/// The worst lists in a table, a line each.
pub fn worst_table(found: &[Counterexample]) -> String {
    let rows = found.iter().map(|found| {
        let answer = format!("{} for {}", found.predicted, found.expected);
        vec![output::spaced(&found.list), found.position.to_string(), answer, format!("{:.3}", found.margin)]
    });
    output::table(&["worst lists found", "prediction", "says", "margin"], rows)
}

fn near(args: &Args, sorter: Sorter, list: &str) -> Result<String> {
    let data = lists::read(&[list.to_owned()], sorter.task)?;
    let list: Vec<Token> = data.tokens().row(0).iter().take(sorter.task.list_len()).copied().collect();
    let found = sorter.fewest_changes(&list, MOST_CHANGES)?;
    if args.json {
        return output::json(&found);
    }
    Ok(match found {
        None => format!("every list within {MOST_CHANGES} swaps or replacements is sorted right\n"),
        Some((changes, found)) => format!(
            "{} becomes wrong by {changes} {}; no fewer do it:\n{}\n  prediction {} is {}, expected {} (margin {:.4})\n",
            output::spaced(&list),
            if changes == 1 { "change" } else { "changes" },
            output::spaced(&found.list),
            found.position,
            found.predicted,
            found.expected,
            found.margin
        ),
    })
}

fn families(failures: &[Failures]) -> String {
    let rows = failures.iter().map(|failures| {
        let family = match failures.family {
            Family::Gap(gap) => format!("gap {gap}"),
            Family::Position(position) => format!("position {position}"),
            Family::Order(order) => format!("{order:?} order").to_lowercase(),
        };
        let (margin, list) = match &failures.worst {
            None => (String::new(), String::new()),
            Some(worst) => (format!("{:.3}", worst.margin), output::spaced(&worst.list)),
        };
        let proved = failures.proved.map_or("none".to_owned(), |proved| format!("{proved:.3}"));
        let rate = format!("{:.5}", failures.rate);
        vec![family, failures.predictions.to_string(), rate, margin, proved, list]
    });
    output::table(&["family", "sampled", "wrong", "least found", "proved", "worst list"], rows)
}
