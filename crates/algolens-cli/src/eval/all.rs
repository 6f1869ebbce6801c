//! `algolens eval --all`: all inputs of a task, run through a model.

use super::{
    counted::{Counted, grouped},
    rate::{self, By},
};
use crate::{
    load::Opened,
    state_file::StateFile,
    terminal::{Terminal, warn},
};
use algolens::{
    Error, Result,
    files::Lock,
    interpret::{
        Subject,
        enumerate::{Enumeration, Walk},
    },
};
use std::{
    path::PathBuf,
    str::FromStr,
    time::{Duration, Instant},
};

/// The flags of an evaluation on all inputs.
#[derive(clap::Args)]
pub struct AllFlags {
    /// Run all inputs of the task: exact accuracies, the smallest margin, what is wrong. A tie is wrong
    #[arg(long, conflicts_with_all = ["size", "seed", "data"], requires = "path")]
    all: bool,
    /// Of all inputs one share, such as 2/5, the second of five
    #[arg(long, value_name = "I/N", requires = "all")]
    part: Option<Share>,
    /// File for the counts (JSON); beside it stands how far they are (FILE.state), for --resume
    #[arg(long, value_name = "FILE", requires = "all")]
    out: Option<PathBuf>,
    /// Go on where an interrupted count of all inputs stands
    #[arg(long, requires = "out")]
    resume: bool,
    /// Wrong predictions on all inputs that are listed
    #[arg(long, value_name = "N", default_value_t = 10, requires = "all")]
    limit: usize,
    /// Share of the largest logit, or of 1 if that is more, below which a margin is looked at again in double precision
    #[arg(long, value_name = "X", default_value_t = Walk::SLACK, requires = "all")]
    slack: f64,
    /// Add up the files of all parts
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = NOT_OF_PARTS)]
    merge: Option<Vec<PathBuf>>,
}

/// What says how a model is run, and on what: parts are run already.
const NOT_OF_PARTS: [&str; 14] = [
    "path",
    "all",
    "size",
    "seed",
    "data",
    "processed",
    "task",
    "normalization",
    "act_fn",
    "attention",
    "positions",
    "eps",
    "WhichArgs",
    "BackendFlags",
];

/// A share of all inputs.
#[derive(Clone, Copy, Debug)]
struct Share {
    /// Which, counted from 1.
    part: u32,
    /// Of how many.
    of: u32,
}

impl FromStr for Share {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = || Error::invalid("part", "one of several, such as 2/5", format!("{text:?}"));
        let (part, of) = text.split_once('/').ok_or_else(invalid)?;
        let number = |text: &str| text.parse::<u32>().map_err(|_| invalid());
        let share = Self { part: number(part)?, of: number(of)? };
        if share.part == 0 || share.part > share.of { Err(invalid()) } else { Ok(share) }
    }
}

impl Share {
    /// The numbers of its inputs, of so many.
    fn numbers(self, count: u64) -> [u64; 2] {
        // A share of a count is no more than the count.
        [self.part - 1, self.part].map(|parts| (u128::from(count) * u128::from(parts) / u128::from(self.of)) as u64)
    }
}

impl AllFlags {
    /// Whether all inputs are asked for.
    pub fn is_asked(&self) -> bool {
        self.all
    }

    /// The files that are to be added up.
    pub fn parts(&self) -> Option<&[PathBuf]> {
        self.merge.as_deref()
    }
}

/// Counts, writes the file, and says what was counted.
pub fn run(flags: &AllFlags, json: bool, opened: &Opened, by: &By, terminal: &Terminal) -> Result<String> {
    let task = opened.task()?;
    let names = [by.engine.name(), by.vectors.name()];
    let walk = Walk::new(Subject { model: &opened.model, engine: by.engine }, &*task, flags.slack, flags.limit)?;
    let [from, to] = flags.part.unwrap_or(Share { part: 1, of: 1 }).numbers(walk.count());
    let state = flags.out.as_deref().map(StateFile::beside).transpose()?;
    let _lock = flags.out.as_deref().map(Lock::take).transpose()?;
    let counted = |run: &Enumeration| Counted::of(opened, &*task, names, run.clone());
    let mut run = walk.begin(from);
    if let (true, Some(state)) = (flags.resume, &state) {
        run = begun(state, &counted(&run), to)?.unwrap_or(run);
    }
    let save = |run: &Enumeration| state.as_ref().map_or(Ok(()), |state| counted(run).write(state.path()));
    // An unwritable folder is found at once.
    save(&run)?;
    if walk.by_multisets() && !terminal.quiet {
        terminal.say("the task asks the same in every order, and the model knows no positions: one order is run, and counts for all");
    }
    let (clock, begun) = (Instant::now(), run.to());
    let found = Count { walk: &walk, to, most: flags.part.is_none().then_some(MOST), terminal }.finish(&mut run, save);
    if let Err(Error::Cancelled) = found {
        let saved = "the counts are saved; the same command with --resume goes on";
        warn(format_args!(
            "algolens: interrupted, {}",
            if state.is_some() { saved } else { "nothing is saved (--out FILE does)" }
        ));
    }
    found?;
    if !terminal.quiet && run.to() > begun {
        terminal.say(rate::said(by, opened.model.config(), &walk, run.to() - begun, clock.elapsed())?);
    }
    save(&run)?;
    let counted = counted(&run);
    if let Some(out) = &flags.out {
        counted.write(out)?;
    }
    counted.answer(&*task, json)
}

/// How long a count of all inputs may take that nobody has cut into parts.
const MOST: Duration = Duration::from_secs(30 * 24 * 3600);

/// A count that goes on.
struct Count<'a> {
    walk: &'a Walk<'a>,
    /// The number of the input after the last.
    to: u64,
    /// What it may take.
    most: Option<Duration>,
    terminal: &'a Terminal,
}

impl Count<'_> {
    /// Counts to the end, and saves now and then.
    fn finish(&self, run: &mut Enumeration, save: impl Fn(&Enumeration) -> Result<()>) -> Result<()> {
        const SAVE_EVERY: Duration = Duration::from_secs(40);
        const SHOW_EVERY: Duration = Duration::from_millis(500);
        let bar = self.terminal.spinner();
        let (clock, begun, mut saved) = (Instant::now(), run.to(), Instant::now());
        let mut step = Walk::BLOCK;
        while run.to() < self.to {
            let stepped = Instant::now();
            let end = (run.to().saturating_add(step) / Walk::BLOCK * Walk::BLOCK).max(run.to() + 1);
            self.walk.go_on(run, self.to.min(end))?;
            // Steps that the terminal can follow.
            step = match stepped.elapsed() {
                quickest if quickest < SHOW_EVERY / 32 => step.saturating_mul(16),
                quick if quick < SHOW_EVERY / 2 => step.saturating_mul(2),
                slow if slow > SHOW_EVERY => (step / 2).max(Walk::BLOCK),
                _ => step,
            };
            let rate = (run.to() - begun) as f64 / clock.elapsed().as_secs_f64();
            self.check_length(run, rate, clock.elapsed())?;
            bar.set_message(self.progress(run, rate));
            bar.tick();
            if self.terminal.interrupted() || saved.elapsed() > SAVE_EVERY {
                save(run)?;
                saved = Instant::now();
            }
            if self.terminal.interrupted() && run.to() < self.to {
                bar.finish_and_clear();
                return Err(Error::Cancelled);
            }
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// Whether the count ends in time, once its rate is known.
    fn check_length(&self, run: &Enumeration, rate: f64, passed: Duration) -> Result<()> {
        let left = (self.to - run.to()) as f64 / rate;
        match self.most.filter(|most| passed > Duration::from_secs(2) && left > most.as_secs_f64()) {
            None => Ok(()),
            Some(most) => Err(Error::TooLarge {
                what: "task",
                most: format!(
                    "as many inputs as can be run in {} ({} a second here; --part I/N shares them out, --size N draws some)",
                    length(most.as_secs_f64()),
                    grouped(rate as u64)
                ),
                found: self.to.into(),
            }),
        }
    }

    fn progress(&self, run: &Enumeration, rate: f64) -> String {
        let (done, all) = (run.to() - run.from, self.to - run.from);
        let left = (self.to - run.to()) as f64 / rate;
        format!(
            "{} of {} {} · {} a second · {} left · {} wrong inputs",
            grouped(done),
            grouped(all),
            if run.multisets { "multisets" } else { "inputs" },
            grouped(rate as u64),
            length(left),
            grouped(run.inputs - run.right)
        )
    }
}

/// A length of time in one unit.
fn length(seconds: f64) -> String {
    match seconds {
        ..120.0 => format!("{seconds:.0} s"),
        ..7200.0 => format!("{:.0} min", seconds / 60.0),
        ..172_800.0 => format!("{:.0} h", seconds / 3600.0),
        ..63_072_000.0 => format!("{:.0} days", seconds / 86_400.0),
        _ => format!("{:.0} years", seconds / 31_536_000.0),
    }
}

/// Where a count like this one stands, if it was begun.
fn begun(state: &StateFile, like: &Counted, to: u64) -> Result<Option<Enumeration>> {
    let Some(bytes) = state.read()? else { return Ok(None) };
    let begun = Counted::from_bytes(state.path(), &bytes)?;
    begun.check_like(like).map_err(|error| state.error(error))?;
    if begun.run.from != like.run.from || begun.run.to() > to {
        let expected = format!("{} to {to}, or the first of them", like.run.from);
        let found = format!("{} to {}", begun.run.from, begun.run.to());
        return Err(state.error(Error::invalid("inputs", expected, found)));
    }
    Ok(Some(begun.run))
}
