//! The command line: parses, calls a verb, prints its answer.

#[cfg(feature = "sweep")]
use crate::sweep;
use crate::{
    ablate, attack, attention, attribute, bench, cache, certify, check, circuits, completions, dataset, eval, inspect,
    output, predict, refusal, report, scores, study, terminal, terminal::Terminal, train,
};
use algolens::{Error, Result, interpret::Casebooks, task::Registry};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::{ffi::OsString, process::ExitCode};

/// Train small transformers on algorithmic tasks, take them apart, and show why the explanation holds.
#[derive(Parser)]
#[command(name = "algolens", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
    /// Threads (results do not depend on it) [default: all cores]
    #[arg(long, global = true, value_name = "N")]
    threads: Option<usize>,
    /// Show no progress
    #[arg(long, short, global = true)]
    quiet: bool,
    /// Use no colours (the variable NO_COLOR does the same)
    #[arg(long, global = true)]
    no_color: bool,
}

#[derive(Subcommand)]
enum Verb {
    Study(Box<study::Args>),
    Report(Box<report::Args>),
    Train(Box<train::Args>),
    Dataset(dataset::Args),
    Inspect(inspect::Args),
    Eval(eval::Args),
    Predict(predict::Args),
    Ablate(ablate::Args),
    Circuits(circuits::Args),
    Qk(circuits::QkArgs),
    Scores(scores::Args),
    Attribute(attribute::Args),
    Attention(attention::Args),
    Cache(cache::Args),
    Attack(Box<attack::Args>),
    Certify(Box<certify::Args>),
    Check(Box<check::Args>),
    #[cfg(feature = "sweep")]
    Sweep(sweep::Args),
    Bench(bench::Args),
    Completions(completions::Args),
}

/// How to begin, and the tasks that there are.
fn help(registry: &Registry) -> String {
    let tasks: Vec<[String; 2]> = registry.defaults().map(|(task, about)| [task.to_string(), about.into()]).collect();
    let width = tasks.iter().map(|[task, _]| task.len()).max().unwrap_or(0);
    let tasks: Vec<String> = tasks.iter().map(|[task, about]| format!("  {task:width$}  {about}")).collect();
    format!(
        "Start here:\n  algolens study                                   train a sorting transformer and take it apart\n  \
         algolens study models/sorted_list.safetensors    take a trained one apart, at once\n  \
         algolens predict models/sorted_list.safetensors 0,40,41,42,43,44,45,46,47,48\n\n\
         Tasks, with the defaults of their options:\n{}",
        tasks.join("\n")
    )
}

/// The exit code of bad input.
const REFUSED: u8 = 2;

/// Runs the command line of a program that knows these tasks, and the casebooks of some of them; the first of the arguments is
/// the program's name. Once in a process: its threads and its handler of interrupts are the process's.
pub fn run(registry: &Registry, casebooks: &Casebooks, args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words: Vec<OsString> = args.into_iter().collect();
    let matches = Cli::command().after_help(help(registry)).try_get_matches_from(&words);
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => return explain(&error),
    };
    let answer = threads(cli.threads).and_then(|()| answer(&cli, registry, casebooks, &words)).and_then(|text| {
        output::print(&text).map_err(|error| Error::invalid("standard output", "a place to write", error))
    });
    match answer {
        Ok(()) => ExitCode::SUCCESS,
        // The verb has said how to go on.
        Err(Error::Cancelled) => ExitCode::from(terminal::INTERRUPTED),
        Err(error) => {
            terminal::warn(format_args!("algolens: {}", refusal::line(&error)));
            ExitCode::from(REFUSED)
        }
    }
}

/// Prints what clap has to say instead of a parsed command line: help, the version, what is wrong.
fn explain(error: &clap::Error) -> ExitCode {
    // Nobody may be listening any more.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(REFUSED) } else { ExitCode::SUCCESS }
}

fn threads(threads: Option<usize>) -> Result<()> {
    const MOST: usize = 1024;
    if let Some(threads) = threads.filter(|threads| !(1..=MOST).contains(threads)) {
        return Err(Error::invalid("--threads", format!("1 to {MOST}"), threads));
    }
    // 0 is as many as there are cores. This thread is one of them: it need not wait for another to wake up.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0)).use_current_thread().build_global();
    pool.map_err(|error| Error::invalid("--threads", "as many threads as the system gives", error))
}

/// The answer of the verb. `words` is the whole command line, which bench runs again.
fn answer(cli: &Cli, registry: &Registry, casebooks: &Casebooks, words: &[OsString]) -> Result<String> {
    let terminal = || Terminal::new(cli.quiet, cli.no_color);
    let command = || output::command_line(words);
    match &cli.verb {
        Verb::Study(args) => study::run(args, registry, casebooks, &command(), &terminal()),
        Verb::Report(args) => report::run(args, registry, casebooks, &command(), &terminal()),
        Verb::Train(args) => train::run(args, registry, &terminal()),
        Verb::Dataset(args) => dataset::run(args, registry),
        Verb::Inspect(args) => inspect::run(args, registry),
        Verb::Eval(args) => eval::run(args, registry, &terminal()),
        Verb::Predict(args) => predict::run(args, registry),
        Verb::Ablate(args) => ablate::run(args, registry),
        Verb::Circuits(args) => circuits::run(args, registry),
        Verb::Qk(args) => circuits::run_qk(args, registry),
        Verb::Scores(args) => scores::run(args, registry),
        Verb::Attribute(args) => attribute::run(args, registry),
        Verb::Attention(args) => attention::run(args, registry),
        Verb::Cache(args) => cache::run(args, registry),
        Verb::Attack(args) => attack::run(args, registry, &terminal()),
        Verb::Check(args) => check::run(args, registry, &terminal()),
        Verb::Certify(args) => certify::run(args, registry, &command(), &terminal()),
        #[cfg(feature = "sweep")]
        Verb::Sweep(args) => sweep::run(args, registry, casebooks, &terminal()),
        Verb::Bench(args) => bench::run(args, registry, words),
        Verb::Completions(args) => completions::run(args, &mut Cli::command()),
    }
}
