//! The command line of a program that knows one more task than ours.

fn main() -> std::process::ExitCode {
    algolens_cli::run(&algolens_own_tasks::registry(), &algolens::interpret::Casebooks::default(), std::env::args_os())
}
