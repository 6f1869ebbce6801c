//! `algolens completions`: the script that completes commands in a shell.

use algolens::Result;
use clap_complete::Shell;

/// Print the completions of a shell
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  algolens completions bash > ~/.local/share/bash-completion/completions/algolens\n  \
                        algolens completions fish > ~/.config/fish/completions/algolens.fish"
)]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// The completion script.
pub fn run(args: &Args, command: &mut clap::Command) -> Result<String> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "algolens", &mut script);
    Ok(String::from_utf8_lossy(&script).into_owned())
}
