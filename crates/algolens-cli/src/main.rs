//! The algolens command line.

mod choice;
mod recipe_flags;
mod terminal;
mod train;

use algolens::Error;
use clap::{Parser, Subcommand};
use std::process::ExitCode;
use terminal::Terminal;

/// What a command ends with when it was given something it cannot use.
const REFUSED: u8 = 2;
/// What a command ends with when it was interrupted, as shells have it.
const INTERRUPTED: u8 = 130;

/// Train small transformers on algorithmic tasks, take them apart, and show why the explanation holds
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Threads to compute on [default: one a core]; results never depend on it
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Print results and errors only
    #[arg(long, short, global = true)]
    quiet: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Train(train::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let terminal = Terminal::new(cli.quiet);
    if let Some(threads) = cli.threads {
        // Fails only if there is a pool already, and this is the first use.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads.into()).build_global();
    }
    let result = match &cli.verb {
        Verb::Train(args) => train::run(args, &terminal),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Cancelled) => ExitCode::from(INTERRUPTED),
        Err(error) => {
            terminal.warn(format_args!("algolens: {error}"));
            ExitCode::from(REFUSED)
        }
    }
}
