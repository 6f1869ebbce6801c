//! The program, run from outside.

use assert_cmd::Command;

/// The exit code, and what is printed on the standard output and error.
pub fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::cargo_bin("algolens").unwrap().args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// What is answered.
pub fn answer(arguments: &[&str]) -> String {
    let (code, out, said) = run(arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {said}");
    out
}

/// The last line that is said, the error; nothing is answered.
pub fn refusal(arguments: &[&str]) -> String {
    let (code, out, said) = run(arguments);
    assert_eq!((code, &*out), (Some(2), ""), "{arguments:?}: {said}");
    said.lines().last().unwrap().to_owned()
}
