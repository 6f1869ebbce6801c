//! The program `algolens`.

use algolens::task::Registry;
use std::{env, process::ExitCode};

fn main() -> ExitCode {
    algolens_cli::run(&Registry::default(), env::args_os())
}
