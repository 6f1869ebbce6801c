//! The program `algolens`.

use algolens::{interpret::Casebooks, task::Registry};
use std::{env, process::ExitCode};

fn main() -> ExitCode {
    algolens_cli::run(&Registry::default(), &Casebooks::default(), env::args_os())
}
