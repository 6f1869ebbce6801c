//! The algolens command line.

fn main() {}
