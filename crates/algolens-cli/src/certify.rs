//! `algolens certify`: the share of all lists that a model gets right, proved.

mod instead;
mod undecided;

use crate::{
    load::{ModelArgs, Opened},
    output,
    state_file::StateFile,
    terminal::{Terminal, warn},
};
use algolens::{
    Error, Result,
    check::certificate::{Bracket, Certificate, Class, Status, Tally},
    engine::{Backend, Vectors},
    files::{Lock, write_whole},
    model::Model,
    prove::{self, Asks, Classes, Origin, SafeInputs, Search, Tables},
    provenance::Provenance,
    task::{Registry, Task},
};
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Prove what share of all lists a model gets right
///
/// Every prediction belongs to a class: its position, the token that predicts, the right answer. Classes are proved right
/// on all their lists or refuted by a list; inside the rest, lists are counted that are right or wrong for sure. What comes
/// out holds for every list there is, and `algolens check` verifies it with code of its own.
///
/// Proofs are about one-layer attention-only models that sort lists or say which of their values is the largest. Of others it says
/// what decides instead, and does it when told (--instead).
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  algolens certify models/sorted_list.safetensors --out cert.json\n  \
                        algolens certify models/sorted_list.safetensors --out cert.json --budget 2m --lists\n  \
                        algolens certify models/sorted_list.safetensors --out cert.json --budget 1h --resume\n  \
                        algolens certify max_of_list.safetensors --out cert.json --budget 10m\n  \
                        algolens certify sum.safetensors --instead")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// File for the certificate (JSON); beside it stands the search's state (cert.json.state), for --resume
    #[arg(long, value_name = "FILE", required_unless_present = "instead")]
    out: Option<PathBuf>,
    /// Where there is no proof, do what decides instead: run all inputs, or so many that an interval is narrow, and attack
    #[arg(long)]
    instead: bool,
    #[command(flatten)]
    search: SearchFlags,
    /// Go on with the search that stands beside the certificate; what it took before counts
    #[arg(long)]
    resume: bool,
    /// List a counterexample for every refuted class
    #[arg(long)]
    lists: bool,
    /// Process the weights first (the predictions are the same)
    #[arg(long)]
    processed: bool,
}

/// The flags of a search: how long it goes on, and what counts as right.
#[derive(clap::Args)]
pub struct SearchFlags {
    /// How long to search, such as 90s, 12m or 1h [default: 12m]
    #[arg(long, value_name = "TIME", conflicts_with = "work", value_parser = humantime::parse_duration)]
    budget: Option<Duration>,
    /// How much to search, in passes of the oracle: the same result on every machine
    #[arg(long, value_name = "N")]
    work: Option<u64>,
    /// Logits by which an answer must be above every other to count [default: more than f32 loses of the model's logits, 1e-4 or
    /// the next power of ten that is]
    #[arg(long, value_name = "X")]
    slack: Option<f64>,
}

impl SearchFlags {
    /// The flags of a search of this length.
    pub fn lasting(budget: Duration) -> Self {
        Self { budget: Some(budget), work: None, slack: None }
    }

    const BUDGET: Duration = Duration::from_secs(12 * 60);

    fn is_spent(&self, search: &Search, begun: f64, clock: &Instant) -> bool {
        let is_over = match self.work {
            Some(work) => search.work() >= work,
            None => begun + clock.elapsed().as_secs_f64() >= self.budget.unwrap_or(Self::BUDGET).as_secs_f64(),
        };
        is_over || search.is_at_end()
    }

    fn check(&self) -> Result<()> {
        match self.slack {
            Some(slack) if !(slack > 0.0 && slack <= 1.0) => {
                Err(Error::invalid("--slack", "a number above 0, at most 1", slack))
            }
            _ => Ok(()),
        }
    }

    /// The slack: as it is said, or as a model needs it.
    fn slack(&self, model: &Model, task: &dyn Task) -> Result<f64> {
        let engine = || Backend::best(model.config()).engine(Vectors::best());
        self.slack.map_or_else(|| prove::slack(model, task, &*engine()), Ok)
    }
}

/// Searches, writes the certificate, and says what it comes to.
pub fn run(args: &Args, registry: &Registry, command: &str, terminal: &Terminal) -> Result<String> {
    let opened = args.model.processed(args.processed, registry)?;
    args.search.check()?;
    let task = opened.task()?;
    let proofs = Tables::of(&opened.model, &*task).and_then(|tables| Classes::of(&*task).map(|_| tables));
    let tables = match proofs {
        Ok(tables) => tables,
        Err(why) if args.instead => return instead::run(&opened, &*task, &why, terminal),
        Err(why) => return Err(instead::named(opened.model.config(), &*task, why)),
    };
    let Some(out) = &args.out else {
        return Err(Error::invalid("--out", "a file for the certificate, as there is a proof", "none"));
    };
    let _lock = Lock::take(out)?;
    let state = StateFile::beside(out)?;
    let mut search = begin(args, &state, &tables, &*task, &opened)?;
    let save = |search: &Search| state.write(&search.to_bytes(&opened.model)?);
    // An unwritable folder is found at once.
    save(&search)?;
    let found = advance(&mut search, &args.search, terminal, save);
    if let Err(Error::Cancelled) = found {
        warn("algolens: interrupted, the search is saved; the same command with --resume goes on");
    }
    found?;
    save(&search)?;
    let vectors = Vectors::best();
    let engine = Backend::best(opened.model.config()).engine(vectors);
    let provenance = Provenance::of(&opened.sha256, &*engine, vectors, command, None);
    let certificate = search_certificate(&search, &opened, &*task, args.lists, &provenance)?;
    write(out, &certificate)?;
    let undecided = undecided::undecided(&search, &task.token_labels());
    Ok(summary(&certificate, search.classes()) + &undecided + &format!("\n{}\n", out.display()))
}

/// The certificate of a model after a search of some length, with a counterexample for every refuted class.
pub fn certificate(
    opened: &Opened,
    task: &dyn Task,
    budget: Duration,
    provenance: &Provenance,
    terminal: &Terminal,
) -> Result<Certificate> {
    let tables = Tables::of(&opened.model, task)?;
    let flags = SearchFlags::lasting(budget);
    let mut search = Search::new(&tables, Classes::of(task)?, flags.slack(&opened.model, task)?)?;
    advance(&mut search, &flags, terminal, |_| Ok(()))?;
    search_certificate(&search, opened, task, true, provenance)
}

/// Whether there can be a certificate of a model.
///
/// # Errors
/// A model that proofs are not about.
pub fn check(model: &Model, task: &dyn Task) -> Result<()> {
    Tables::of(model, task)?;
    Classes::of(task).map(drop)
}

/// The certificate of a search, as it stands.
fn search_certificate(
    search: &Search,
    opened: &Opened,
    task: &dyn Task,
    counterexamples: bool,
    provenance: &Provenance,
) -> Result<Certificate> {
    let (model, processing) = (&opened.model, opened.processing.as_slice());
    let provenance = Some(provenance);
    prove::certificate(
        search,
        &Origin { model, processing, task, sampled_lists: Origin::SAMPLED, counterexamples, provenance },
    )
}

/// Writes a certificate's file.
pub fn write(path: &Path, certificate: &Certificate) -> Result<()> {
    let text = serde_json::to_vec(certificate).map_err(|error| Error::invalid("certificate", "JSON", error))?;
    write_whole(path, &text)
}

/// Advances a search until its budget is spent; saves it now and then.
fn advance(
    search: &mut Search,
    flags: &SearchFlags,
    terminal: &Terminal,
    save: impl Fn(&Search) -> Result<()>,
) -> Result<()> {
    const SAVE_EVERY: Duration = Duration::from_secs(40);
    const SHOW_EVERY: Duration = Duration::from_millis(500);
    let (clock, begun) = (Instant::now(), search.seconds());
    let bar = terminal.spinner();
    let (mut saved, mut shown, mut counted) = (Instant::now(), None, Instant::now());
    while !flags.is_spent(search, begun, &clock) {
        search.advance();
        if shown.is_none_or(|shown: Instant| shown.elapsed() > SHOW_EVERY) {
            bar.set_message(progress(search, begun + clock.elapsed().as_secs_f64()));
            bar.tick();
            shown = Some(Instant::now());
        }
        if terminal.interrupted() || saved.elapsed() > SAVE_EVERY {
            search.add_seconds(counted.elapsed().as_secs_f64());
            counted = Instant::now();
            save(search)?;
            saved = Instant::now();
        }
        if terminal.interrupted() {
            bar.finish_and_clear();
            return Err(Error::Cancelled);
        }
    }
    search.add_seconds(counted.elapsed().as_secs_f64());
    bar.finish_and_clear();
    Ok(())
}

fn progress(search: &Search, seconds: f64) -> String {
    let (classes, decided) = (search.classes(), search.decided());
    let (counts, _) = prove::tally(classes, &decided);
    let bounds = prove::accuracy_bounds(classes, &decided);
    let [low, high] = bounds.token;
    format!(
        "{seconds:.0} s · classes {} certified, {} refuted, {} undecided · token accuracy {low:.5} to {high:.5}",
        counts.certified, counts.refuted, counts.undecided
    )
}

/// A certificate in tables and in words.
pub fn summary(certificate: &Certificate, classes: &Classes) -> String {
    let names = ["certified: right on every list", "refuted: wrong on some list", "undecided"];
    let mut text = classes_table("classes", names, certificate.classes, certificate.mass);
    text.push('\n');
    let bracket = |name: &str, bracket: Bracket| {
        let sampled = format!("{:.6}", bracket.sampled);
        vec![name.to_owned(), at_least(bracket.lower), at_most(bracket.upper), sampled]
    };
    let rows =
        [bracket("token accuracy", certificate.token_accuracy), bracket("list accuracy", certificate.list_accuracy)];
    text += &output::table(&["over all lists", "at least", "at most", "sampled"], rows);
    if let Some(worst) = &certificate.worst {
        let list = output::spaced(&worst.list);
        text += &format!(
            "\nworst list found: {list}\n  prediction {} is {}, expected {} (margin {:.3})\n",
            worst.position, worst.predicted, worst.expected, worst.margin
        );
    }
    let status = |class: usize| certificate.class_status[class].status;
    text + "\n"
        + &match classes.space().asks {
            Asks::Sorted => words(&prove::safe_inputs(classes, status)),
            Asks::Largest { .. } => safe_largest(classes, status),
        }
}

/// The largest values of lists on which every prediction is right.
fn safe_largest(classes: &Classes, status: impl Fn(usize) -> Status) -> String {
    let largest = |class: &Class| class.token.filter(|_| class.position > 0).unwrap_or(class.target) as usize;
    let mut safe = vec![true; classes.space().values];
    for (number, class) in classes.all().iter().enumerate() {
        safe[largest(class)] &= status(number) == Status::Certified;
    }
    let safe: Vec<usize> = (0..safe.len()).filter(|value| safe[*value]).collect();
    if safe.is_empty() {
        return "of every largest value some list is not proved right\n".into();
    }
    format!("right on every list whose largest value is {}\n", output::ranges(&safe))
}

/// A share with six digits, rounded down: what is proved to be at least that stays true.
pub fn at_least(share: f64) -> String {
    format!("{:.6}", (share * 1e6).floor() / 1e6)
}

/// A share with six digits, rounded up.
pub fn at_most(share: f64) -> String {
    format!("{:.6}", (share * 1e6).ceil() / 1e6)
}

/// The classes by status, and the share of predictions that they have.
pub fn classes_table(title: &str, names: [&str; 3], counts: Tally<usize>, mass: Tally<f64>) -> String {
    let rows = [(counts.certified, mass.certified), (counts.refuted, mass.refuted), (counts.undecided, mass.undecided)];
    let row = |(name, (count, mass)): (&str, (usize, f64))| {
        vec![name.to_owned(), count.to_string(), format!("{:.3} %", 100.0 * mass)]
    };
    output::table(&[title, "", "of predictions"], names.into_iter().zip(rows).map(row))
}

/// The safe inputs in words.
fn words(safe: &SafeInputs) -> String {
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    let mut text = String::from("safe inputs (a gap is the step from a sorted value to the next)\n");
    if let Some(smallest) = safe.smallest {
        text += &format!("  prediction 0: right for every list whose smallest value is at most {smallest}\n");
    }
    for steps in &safe.steps {
        let ([first, last], share) = (steps.tokens, percent(steps.predictions));
        let gap = if steps.gap == u32::MAX {
            "whatever the gap".into()
        } else {
            format!("with a gap of at most {}", steps.gap)
        };
        text += &format!("  prediction {}: right at {first} to {last} {gap} ({share} of them)\n", steps.position);
    }
    text += &format!(
        "  a list that keeps to all of these is sorted right: {} of all lists\n",
        percent(safe.lists_by_steps)
    );
    if safe.gap > 0 {
        text += &format!(
            "  each wrong prediction needs a gap of at least {}, or is the first: {} of lists have neither\n",
            safe.gap + 1,
            percent(safe.lists)
        );
    }
    for from in safe.from.iter().filter(|from| from.gap > 0) {
        text += &format!(
            "  from prediction {} on: right wherever the gap is at most {} ({} of them; {} of lists have no larger gap there)\n",
            from.position,
            from.gap,
            percent(from.predictions),
            percent(from.lists)
        );
    }
    text
}

/// The search that is begun, or that goes on.
fn begin<'t>(
    args: &Args,
    state: &StateFile,
    tables: &'t Tables,
    task: &dyn Task,
    opened: &Opened,
) -> Result<Search<'t>> {
    let classes = Classes::of(task)?;
    let begun = if args.resume { state.read()? } else { None };
    let Some(bytes) = begun else {
        return Search::new(tables, classes, args.search.slack(&opened.model, task)?);
    };
    let search = Search::from_bytes(&bytes, tables, classes, &opened.model).map_err(|error| state.error(error))?;
    match args.search.slack {
        Some(slack) if slack != search.slack() => {
            Err(state.error(Error::invalid("slack", slack.to_string(), search.slack())))
        }
        _ => Ok(search),
    }
}
