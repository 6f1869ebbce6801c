//! The algolens command line: parses, calls the library, prints.

mod ablate;
mod attack;
mod attention;
mod attribute;
mod backend_flags;
mod bench;
mod cache;
mod certify;
mod check;
mod circuits;
mod completions;
mod data;
mod dataset;
mod eval;
mod inspect;
mod lists;
mod load;
mod output;
mod pattern;
mod predict;
mod proof;
mod recipe_flags;
mod report;
mod scores;
mod studied;
mod study;
mod terminal;
mod train;

use algolens::{Error, Result};
use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;
use terminal::Terminal;

/// Train small transformers on algorithmic tasks, take them apart, and show why the explanation holds.
#[derive(Parser)]
#[command(
    name = "algolens",
    version,
    propagate_version = true,
    after_help = "Start here:\n  algolens study                                   train a sorting transformer and take it apart\n  \
                  algolens study models/sorted_list.safetensors    take a trained one apart, at once\n  \
                  algolens predict models/sorted_list.safetensors 0,40,41,42,43,44,45,46,47,48"
)]
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
    Bench(bench::Args),
    Completions(completions::Args),
}

/// The exit code of bad input.
const REFUSED: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let answer = threads(cli.threads).and_then(|()| run(&cli)).and_then(|text| {
        output::print(&text).map_err(|error| Error::invalid("standard output", "a place to write", error))
    });
    match answer {
        Ok(()) => ExitCode::SUCCESS,
        // The verb has said how to go on.
        Err(Error::Cancelled) => ExitCode::from(terminal::INTERRUPTED),
        Err(error) => {
            terminal::warn(format_args!("algolens: {error}"));
            ExitCode::from(REFUSED)
        }
    }
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

fn run(cli: &Cli) -> Result<String> {
    let terminal = || Terminal::new(cli.quiet, cli.no_color);
    match &cli.verb {
        Verb::Study(args) => study::run(args, &terminal()),
        Verb::Report(args) => report::run(args, &terminal()),
        Verb::Train(args) => train::run(args, &terminal()),
        Verb::Dataset(args) => dataset::run(args),
        Verb::Inspect(args) => inspect::run(args),
        Verb::Eval(args) => eval::run(args, &terminal()),
        Verb::Predict(args) => predict::run(args),
        Verb::Ablate(args) => ablate::run(args),
        Verb::Circuits(args) => circuits::run(args),
        Verb::Qk(args) => circuits::run_qk(args),
        Verb::Scores(args) => scores::run(args),
        Verb::Attribute(args) => attribute::run(args),
        Verb::Attention(args) => attention::run(args),
        Verb::Cache(args) => cache::run(args),
        Verb::Attack(args) => attack::run(args, &terminal()),
        Verb::Check(args) => check::run(args, &terminal()),
        Verb::Certify(args) => certify::run(args, &terminal()),
        Verb::Bench(args) => bench::run(args),
        Verb::Completions(args) => completions::run(args, &mut Cli::command()),
    }
}
