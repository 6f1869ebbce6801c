//! `algolens bench`: how fast each backend runs a model.

mod figures;
mod workload;

use crate::{
    backend_flags::{Suggested, vectors},
    hint_flags::{HintArgs, Said},
    load::Opened,
    output, roof,
};
use algolens::{
    Error, Result,
    engine::{Backend, Vectors},
    task::Registry,
};
use figures::{CacheFigures, Figures};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    path::PathBuf,
    process::{Command, Output},
};
use workload::{CACHED, MANY, Workload};

/// Time the backends that run a model: training steps, forward passes, memory
///
/// Without MODEL: the post's model, untrained, on its task. Each backend runs in a process of its own, one after another.
/// A training step is the loss, its gradients and the step of Adam; a forward pass judges every prediction. Figures are
/// medians, for an otherwise idle machine. The plain backend also records what TransformerLens does by default. The roof is
/// what the threads can multiply and add at their quickest, measured in the same run (for the plain backend, which chooses
/// its own instructions, with the widest vectors); shares are of the quickest step and pass.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  algolens bench\n  algolens bench --backend circuit --threads 1 --json\n  \
                  algolens bench models/sorted_list.safetensors --positions all",
    // Bench has another --positions.
    mut_arg("positions", |hint| hint.long("positional-embedding"))
)]
pub struct Args {
    /// The model: safetensors, PyTorch (.pt, .pth, .pkl), .npz or JSON [default: the post's, untrained]
    #[arg(value_name = "MODEL")]
    model: Option<PathBuf>,
    /// The backend to time [default: each that runs the model]
    #[arg(long, alias = "engine", value_name = "BACKEND",
          value_parser = Suggested(Backend::ALL.map(Backend::name).to_vec()))]
    backend: Option<String>,
    /// Vector instructions, as scalar, avx2 or neon; the plain backend chooses its own [default: the best that this
    /// machine has]
    #[arg(long, value_name = "LEVEL")]
    vectors: Option<String>,
    /// Lists a training step
    #[arg(long, value_name = "N", default_value_t = 512)]
    batch: usize,
    /// Time for each figure
    #[arg(long, value_name = "X", default_value_t = 2.0)]
    seconds: f64,
    /// Predicted positions: last, all, or A..B (A to B − 1) [default: the task's, or all]
    #[arg(long = "positions", value_name = "WHICH")]
    predicted: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Time this backend in this process.
    #[arg(long, hide = true, value_name = "BACKEND")]
    measure: Option<Backend>,
    #[command(flatten)]
    hints: HintArgs,
}

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    backends: BTreeMap<&'static str, Timed>,
    machine: Machine,
    batch: usize,
}

/// A backend's figures, beside what the machine could do.
#[derive(Serialize)]
struct Timed {
    #[serde(flatten)]
    figures: Figures,
    /// The multiply-adds a second of the quickest training step, by the machine's roof (of the plain backend, which chooses its
    /// own instructions, that of the widest vectors).
    train_roof_share: f64,
    /// The multiply-adds a second of the quickest forward pass, by the same.
    forward_roof_share: f64,
}

impl Timed {
    fn new(figures: Figures, batch: usize, roof: f64) -> Self {
        Self {
            train_roof_share: figures.train_multiply_adds_per_s() / roof,
            forward_roof_share: figures.forward_multiply_adds_per_s(batch) / roof,
            figures,
        }
    }
}

/// The machine on which backends were timed.
#[derive(Serialize)]
struct Machine {
    cores: usize,
    threads: usize,
    vectors: &'static str,
    /// The most multiply-adds that all threads can do in a second with these vectors.
    roof_multiply_adds_per_s: f64,
}

/// Times the backends that are asked for, and shows their figures.
pub fn run(args: &Args, registry: &Registry, words: &[OsString]) -> Result<String> {
    const LONGEST: f64 = 3600.0;
    if !(args.seconds > 0.0 && args.seconds <= LONGEST) {
        return Err(Error::invalid("--seconds", format!("more than 0, at most {LONGEST}"), args.seconds));
    }
    let vectors = vectors(args.vectors.as_deref())?;
    let work = Workload::new(opened(args, registry)?, args.batch, args.predicted.as_deref())?;
    if let Some(backend) = args.measure {
        backend.check(work.model.config())?;
        return output::json(&Figures::measure(backend, vectors, &work, args.seconds)?);
    }
    let backends = backends(args.backend.as_deref(), &work)?;
    drop(work);
    let roof = roof::multiply_adds_per_s(vectors);
    // The plain backend chooses its own instructions.
    let roof_of_best =
        if vectors.name() == Vectors::best().name() { roof } else { roof::multiply_adds_per_s(Vectors::best()) };
    let figures = |backend: Backend| {
        let figures = in_process_of_its_own(backend, words)?;
        let roof = if backend == Backend::Plain { roof_of_best } else { roof };
        Ok((backend.name(), Timed::new(figures, args.batch, roof)))
    };
    let backends = backends.into_iter().map(figures).collect::<Result<_>>()?;
    let machine = Machine {
        cores: std::thread::available_parallelism().map_or(1, Into::into),
        threads: rayon::current_num_threads(),
        vectors: vectors.name(),
        roof_multiply_adds_per_s: roof,
    };
    let report = Report { backends, machine, batch: args.batch };
    if args.json { output::json(&report) } else { Ok(text(&report)) }
}

/// The model that is asked for, if one is.
fn opened(args: &Args, registry: &Registry) -> Result<Option<Opened>> {
    let said = args.hints.said()?;
    match &args.model {
        Some(path) => Opened::read(path, &said, registry).map(Some),
        None if said == Said::default() => Ok(None),
        None => Err(Error::invalid("flags", "MODEL beside what a file does not say", "none")),
    }
}

/// The backend that is asked for, or all that run the model.
fn backends(name: Option<&str>, work: &Workload) -> Result<Vec<Backend>> {
    let config = work.model.config();
    match name {
        None => Ok(Backend::ALL.into_iter().filter(|backend| backend.check(config).is_ok()).collect()),
        Some(name) => {
            let backend: Backend = name.parse()?;
            backend.check(config)?;
            Ok(vec![backend])
        }
    }
}

/// Runs this very command for one backend, in a process whose memory is that backend's alone.
fn in_process_of_its_own(backend: Backend, words: &[OsString]) -> Result<Figures> {
    let program = env::current_exe().map_err(|error| Error::invalid("this program", "its file", error))?;
    let output = Command::new(&program)
        .args(arguments_with(words.iter().skip(1).cloned().collect(), ["--measure", backend.name()]))
        .output()
        .map_err(|source| Error::File { path: program, source })?;
    read_figures(&output).ok_or_else(|| {
        let said = String::from_utf8_lossy(&output.stderr);
        let found = if said.trim().is_empty() { output.status.to_string() } else { said.into_owned() };
        Error::invalid(format!("the process of the {backend} backend"), "figures", found)
    })
}

fn read_figures(output: &Output) -> Option<Figures> {
    output.status.success().then(|| serde_json::from_slice(&output.stdout).ok()).flatten()
}

/// The arguments with one flag more, which stands before `--`: what follows it is none.
fn arguments_with(mut arguments: Vec<OsString>, flag: [&str; 2]) -> Vec<OsString> {
    let end = arguments.iter().position(|argument| argument == "--").unwrap_or(arguments.len());
    arguments.splice(end..end, flag.map(OsString::from));
    arguments
}

fn text(report: &Report) -> String {
    let Report { backends, machine, batch } = report;
    let header = [
        &format!("{batch} lists a step"),
        "train ms",
        "least",
        "forward lists/s",
        &format!("of {MANY} at once"),
        "peak MB",
        "of the roof, train",
        "forward",
    ];
    let percent = |share: &f64| format!("{:.1} %", 100.0 * share);
    let rows = backends.iter().map(|(backend, Timed { figures, train_roof_share, forward_roof_share })| {
        vec![
            backend.to_string(),
            format!("{:.3}", figures.train_ms),
            format!("{:.3}", figures.train_ms_min),
            format!("{:.0}", figures.forward_lists_per_s),
            format!("{:.0}", figures.forward_lists_per_s_20480),
            figures.peak_memory_mb.map_or_else(|| "?".into(), |mb| format!("{mb:.0}")),
            percent(train_roof_share),
            percent(forward_roof_share),
        ]
    });
    let cache = backends.values().find_map(|timed| timed.figures.cache).map_or_else(String::new, |cache| {
        let CacheFigures { cache_ms, cache_ms_min, cache_mb } = cache;
        format!("\nrun_with_cache of {CACHED} lists: {cache_ms:.2} ms, at least {cache_ms_min:.2}; {cache_mb:.0} MB recorded\n")
    });
    let Machine { cores, threads, vectors, roof_multiply_adds_per_s: roof } = machine;
    let roof = roof / 1e9;
    output::table(&header, rows)
        + &cache
        + &format!("\n{cores} cores, {threads} threads, {vectors}; roof: {roof:.1} billion multiply-adds a second\n")
}
